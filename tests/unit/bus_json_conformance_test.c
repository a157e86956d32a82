/*
 * bus/json.h against the JSON cases of protobuf's conformance suite, by their names there
 * (binary_json_conformance_suite.cc), on messages of our own. Rows with other names are close
 * relatives. `printed` is what the message becomes again; NULL: refused.
 */
#include "base/text.h"
#include "bus/json.h"
#include "bus/types.h"

#include "bus_kinds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define KINDS "test.Kinds"
#define EVENT "valise.v1.Event"
#define OPENED "consular.case.v1.CaseOpened"

static const struct {
	const char *name, *type, *text, *printed;
} cases[] = {
	{"Int32FieldMaxValue", KINDS, "{\"fInt32\":2147483647}", "{\"fInt32\":2147483647}"},
	{"Int32FieldMinValue", KINDS, "{\"fInt32\":-2147483648}", "{\"fInt32\":-2147483648}"},
	{"Uint32FieldMaxValue", KINDS, "{\"lUint32\":4294967295}", "{\"lUint32\":4294967295}"},
	{"Int64FieldMaxValue", KINDS, "{\"gInt64\":\"9223372036854775807\"}",
	 "{\"gInt64\":\"9223372036854775807\"}"},
	{"Int64FieldMinValue", KINDS, "{\"gInt64\":\"-9223372036854775808\"}",
	 "{\"gInt64\":\"-9223372036854775808\"}"},
	{"Int64FieldMaxValueNotQuoted", KINDS, "{\"gInt64\":9223372036854775807}",
	 "{\"gInt64\":\"9223372036854775807\"}"},
	{"Int64FieldMinValueNotQuoted", KINDS, "{\"gInt64\":-9223372036854775808}",
	 "{\"gInt64\":\"-9223372036854775808\"}"},
	{"Uint64FieldMaxValue", KINDS, "{\"mUint64\":\"18446744073709551615\"}",
	 "{\"mUint64\":\"18446744073709551615\"}"},
	{"Uint64FieldMaxValueNotQuoted", KINDS, "{\"mUint64\":18446744073709551615}",
	 "{\"mUint64\":\"18446744073709551615\"}"},
	{"the suite's own", KINDS, "{\"mUint64\":18446744073709549568}",
	 "{\"mUint64\":\"18446744073709549568\"}"},
	{"just above a signed one", KINDS, "{\"mUint64\":9223372036854775808}",
	 "{\"mUint64\":\"9223372036854775808\"}"},
	{"Int32FieldExponentialFormat", KINDS, "{\"fInt32\":1e5}", "{\"fInt32\":100000}"},
	{"Int32FieldMaxFloatValue", KINDS, "{\"fInt32\":2.147483647e9}", "{\"fInt32\":2147483647}"},
	{"Int32FieldMinFloatValue", KINDS, "{\"fInt32\":-2.147483648e9}",
	 "{\"fInt32\":-2147483648}"},
	{"Uint32FieldMaxFloatValue", KINDS, "{\"lUint32\":4.294967295e9}",
	 "{\"lUint32\":4294967295}"},
	{"Int32FieldFloatTrailingZero", KINDS, "{\"fInt32\":100000.000}", "{\"fInt32\":100000}"},
	{"Int32FieldQuotedExponentialValue", KINDS, "{\"fInt32\":\"1e5\"}", "{\"fInt32\":100000}"},
	{"Int32FieldStringValue", KINDS, "{\"fInt32\":\"2147483647\"}", "{\"fInt32\":2147483647}"},
	{"a quoted fraction that is whole", KINDS, "{\"fInt32\":\"15.0\"}", "{\"fInt32\":15}"},
	{"and with an exponent", KINDS, "{\"fInt32\":\"1.5e1\"}", "{\"fInt32\":15}"},
	{"a large one with an exponent", KINDS, "{\"gInt64\":1e17}",
	 "{\"gInt64\":\"100000000000000000\"}"},
	{"the same quoted", KINDS, "{\"gInt64\":\"1e17\"}", "{\"gInt64\":\"100000000000000000\"}"},
	{"beyond what a double keeps", KINDS, "{\"gInt64\":9007199254740993.0}",
	 "{\"gInt64\":\"9007199254740993\"}"},
	{"a negative exponent", KINDS, "{\"gInt64\":1230e-1}", "{\"gInt64\":\"123\"}"},
	{"Int32FieldNegativeZero", KINDS, "{\"fInt32\":-0}", "{}"},
	{"Int32FieldTooLarge", KINDS, "{\"fInt32\":2147483648}", NULL},
	{"Int32FieldTooSmall", KINDS, "{\"fInt32\":-2147483649}", NULL},
	{"Uint32FieldTooLarge", KINDS, "{\"lUint32\":4294967296}", NULL},
	{"Int64FieldTooLarge", KINDS, "{\"gInt64\":\"9223372036854775808\"}", NULL},
	{"Int64FieldTooSmall", KINDS, "{\"gInt64\":\"-9223372036854775809\"}", NULL},
	{"Uint64FieldTooLarge", KINDS, "{\"mUint64\":\"18446744073709551616\"}", NULL},
	{"bare", KINDS, "{\"mUint64\":18446744073709551616}", NULL},
	{"Int32FieldNotInteger", KINDS, "{\"fInt32\":0.5}", NULL},
	{"Uint32FieldNotInteger", KINDS, "{\"lUint32\":0.5}", NULL},
	{"Int64FieldNotInteger", KINDS, "{\"gInt64\":\"0.5\"}", NULL},
	{"Uint64FieldNotInteger", KINDS, "{\"mUint64\":\"0.5\"}", NULL},
	{"an exponent that leaves a fraction", KINDS, "{\"fInt32\":1e-1}", NULL},
	{"far too large", KINDS, "{\"gInt64\":1e999}", NULL},
	{"Int32FieldLeadingSpace", KINDS, "{\"fInt32\":\" 1\"}", NULL},
	{"Int32FieldTrailingSpace", KINDS, "{\"fInt32\":\"1 \"}", NULL},
	{"Int32FieldLeadingZero", KINDS, "{\"fInt32\":01}", NULL},
	{"quoted", KINDS, "{\"fInt32\":\"01\"}", NULL},
	{"Int32FieldPlusSign", KINDS, "{\"fInt32\":+1}", NULL},
	{"quoted", KINDS, "{\"fInt32\":\"+1\"}", NULL},
	{"Int32FieldNegativeWithLeadingZero", KINDS, "{\"fInt32\":-01}", NULL},
	{"Int32FieldStringValuePartiallyNumeric", KINDS, "{\"fInt32\":\"12abc\"}", NULL},
	{"Int32FieldStringValueNonNumeric", KINDS, "{\"fInt32\":\"abc\"}", NULL},
	{"hexadecimal", KINDS, "{\"fInt32\":\"0x10\"}", NULL},
	{"Int32FieldEmptyString", KINDS, "{\"fInt32\":\"\"}", NULL},
	{"no digit behind the point", KINDS, "{\"fInt32\":1.}", NULL},
	{"a number is no string", EVENT, "{\"subject\":1e5}", NULL},
	{"nor a message", EVENT, "{\"payload\":1e5}", NULL},
	{"nor true", KINDS, "{\"aBool\":1e5}", NULL},
	{"FloatFieldMaxPositiveValue", KINDS, "{\"eFloat\":3.4028235e38}",
	 "{\"eFloat\":3.4028235e+38}"},
	{"DoubleFieldMaxPositiveValue", KINDS, "{\"bDouble\":1.79769e+308}",
	 "{\"bDouble\":1.79769e+308}"},
	{"DoubleFieldQuotedExponentialValue", KINDS, "{\"bDouble\":\"1e5\"}",
	 "{\"bDouble\":100000}"},
	{"FloatFieldInfinity", KINDS, "{\"eFloat\":\"Infinity\"}", "{\"eFloat\":\"Infinity\"}"},
	{"FloatFieldNan", KINDS, "{\"eFloat\":\"NaN\"}", "{\"eFloat\":\"NaN\"}"},
	{"FloatFieldTooLarge", KINDS, "{\"eFloat\":3.502823e+38}", NULL},
	{"DoubleFieldTooLarge", KINDS, "{\"bDouble\":1.89769e+308}", NULL},
	{"FloatFieldNanNotQuoted", KINDS, "{\"eFloat\":NaN}", NULL},
	{"FloatFieldInfinityNotQuoted", KINDS, "{\"eFloat\":Infinity}", NULL},
	{"BoolFieldDoubleQuotedTrue", KINDS, "{\"aBool\":\"true\"}", NULL},
	{"BoolFieldIntegerOne", KINDS, "{\"aBool\":1}", NULL},
	{"BoolFieldCamelCaseTrue", KINDS, "{\"aBool\":True}", NULL},
	{"EnumField", OPENED, "{\"priority\":\"PRIORITY_P2\"}", "{\"priority\":\"PRIORITY_P2\"}"},
	{"EnumFieldNumericValueNonZero", OPENED, "{\"priority\":2}",
	 "{\"priority\":\"PRIORITY_P2\"}"},
	{"EnumFieldNumericValueZero", OPENED, "{\"priority\":0}", "{}"},
	{"EnumFieldUnknownValue", OPENED, "{\"priority\":123}", "{\"priority\":123}"},
	{"a negative one", OPENED, "{\"priority\":-7}", "{\"priority\":-7}"},
	{"EnumFieldNotQuoted", OPENED, "{\"priority\":PRIORITY_P2}", NULL},
	{"EnumFieldUnknownName", OPENED, "{\"priority\":\"PRIORITY_P99\"}", NULL},
	{"a fraction", OPENED, "{\"priority\":1.5}", NULL},
	{"BytesField", "consular.alert.v1.AlertApproved", "{\"digest\":\"AQI=\"}",
	 "{\"digest\":\"AQI=\"}"},
	{"BytesFieldBase64Url", "consular.alert.v1.AlertApproved", "{\"digest\":\"-_\"}",
	 "{\"digest\":\"+w==\"}"},
	{"loose bits", "consular.alert.v1.AlertApproved", "{\"digest\":\"AQJ=\"}",
	 "{\"digest\":\"AQI=\"}"},
	{"no padding", "consular.alert.v1.AlertApproved", "{\"digest\":\"+w\"}",
	 "{\"digest\":\"+w==\"}"},
	{"of the other alphabet", "consular.alert.v1.AlertApproved", "{\"digest\":\"-w==\"}",
	 "{\"digest\":\"+w==\"}"},
	{"bad padding", "consular.alert.v1.AlertApproved", "{\"digest\":\"+w=\"}", NULL},
	{"padding alone", "consular.alert.v1.AlertApproved", "{\"digest\":\"====\"}", NULL},
	{"BytesFieldInvalidBase64Characters", "consular.alert.v1.AlertApproved",
	 "{\"digest\":\"-_==\"+\"}", NULL},
	{"both alphabets", "consular.alert.v1.AlertApproved", "{\"digest\":\"+_A=\"}", NULL},
	{"TimestampMinValue", EVENT, "{\"occurredAt\":\"0001-01-01T00:00:00Z\"}",
	 "{\"occurredAt\":\"0001-01-01T00:00:00Z\"}"},
	{"TimestampMaxValue", EVENT, "{\"occurredAt\":\"9999-12-31T23:59:59.999999999Z\"}",
	 "{\"occurredAt\":\"9999-12-31T23:59:59.999999999Z\"}"},
	{"TimestampWithPositiveOffset", EVENT, "{\"occurredAt\":\"1970-01-01T08:00:01+08:00\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:01Z\"}"},
	{"TimestampWithNegativeOffset", EVENT, "{\"occurredAt\":\"1969-12-31T16:00:00-08:00\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:00Z\"}"},
	{"an odd offset", EVENT, "{\"occurredAt\":\"1970-01-01T00:00:00-11:30\"}",
	 "{\"occurredAt\":\"1970-01-01T11:30:00Z\"}"},
	{"over midnight", EVENT, "{\"occurredAt\":\"1970-01-02T00:00:00+01:00\"}",
	 "{\"occurredAt\":\"1970-01-01T23:00:00Z\"}"},
	{"TimestampZeroNormalized", EVENT, "{\"occurredAt\":\"1969-12-31T16:00:00-08:00\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:00Z\"}"},
	{"TimestampHas3FractionalDigits", EVENT, "{\"occurredAt\":\"1970-01-01T00:00:00.010Z\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:00.010Z\"}"},
	{"TimestampHas6FractionalDigits", EVENT, "{\"occurredAt\":\"1970-01-01T00:00:00.000010Z\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:00.000010Z\"}"},
	{"TimestampHas9FractionalDigits", EVENT,
	 "{\"occurredAt\":\"1970-01-01T00:00:00.000000010Z\"}",
	 "{\"occurredAt\":\"1970-01-01T00:00:00.000000010Z\"}"},
	{"TimestampNull", EVENT, "{\"occurredAt\":null}", "{}"},
	{"TimestampJsonInputMissingT", EVENT, "{\"occurredAt\":\"2026-03-01 08:00:00Z\"}", NULL},
	{"TimestampJsonInputLowercaseT", EVENT, "{\"occurredAt\":\"2026-03-01t08:00:00Z\"}", NULL},
	{"TimestampJsonInputLowercaseZ", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00z\"}", NULL},
	{"TimestampJsonInputMissingZ", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00\"}", NULL},
	{"TimestampJsonInputTooLarge", EVENT, "{\"occurredAt\":\"10000-01-01T00:00:00Z\"}", NULL},
	{"TimestampJsonInputTooSmall", EVENT, "{\"occurredAt\":\"0000-01-01T00:00:00Z\"}", NULL},
	{"a second too many", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:60Z\"}", NULL},
	{"an hour too many", EVENT, "{\"occurredAt\":\"2026-03-01T24:00:00Z\"}", NULL},
	{"an offset too large", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00+24:00\"}", NULL},
	{"an offset without a colon", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00+0800\"}", NULL},
	{"an empty fraction", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00.Z\"}", NULL},
	{"before year 1 by its offset", EVENT, "{\"occurredAt\":\"0001-01-01T00:00:00+00:01\"}",
	 NULL},
	{"after year 9999 by its offset", EVENT, "{\"occurredAt\":\"9999-12-31T23:59:59-00:01\"}",
	 NULL},
	{"ten decimals", EVENT, "{\"occurredAt\":\"2026-03-01T08:00:00.0000000001Z\"}", NULL},
	{"StringFieldEscape", EVENT, "{\"subject\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
	 "{\"subject\":\"\\\"\\\\/\\b\\f\\n\\r\\t\"}"},
	{"StringFieldUnicodeEscape", EVENT, "{\"subject\":\"\\u8C37\\u6B4C\"}",
	 "{\"subject\":\"谷歌\"}"},
	{"StringFieldUnicodeEscapeWithLowercaseHexLetters", EVENT,
	 "{\"subject\":\"\\u8c37\\u6b4c\"}", "{\"subject\":\"谷歌\"}"},
	{"StringFieldSurrogatePair", EVENT, "{\"subject\":\"\\uD83D\\uDE01\"}",
	 "{\"subject\":\"😁\"}"},
	{"a digit in a string", EVENT, "{\"subject\":\"1e5 \\\" 2.5\"}",
	 "{\"subject\":\"1e5 \\\" 2.5\"}"},
	{"StringFieldUppercaseEscapeLetter", EVENT, "{\"subject\":\"\\U8C37\"}", NULL},
	{"StringFieldInvalidEscape", EVENT, "{\"subject\":\"\\uXXXX\"}", NULL},
	{"StringFieldUnterminatedEscape", EVENT, "{\"subject\":\"\\u8C3\"}", NULL},
	{"StringFieldUnpairedHighSurrogate", EVENT, "{\"subject\":\"\\uD800\"}", NULL},
	{"StringFieldUnpairedLowSurrogate", EVENT, "{\"subject\":\"\\uDC00\"}", NULL},
	{"StringFieldSurrogateInWrongOrder", EVENT, "{\"subject\":\"\\uDE01\\uD83D\"}", NULL},
	{"StringFieldNotAString", EVENT, "{\"subject\":12345}", NULL},
	{"FieldNameDuplicate", EVENT, "{\"subject\":\"a\",\"subject\":\"b\"}", NULL},
	{"FieldNameDuplicateDifferentCasing1", EVENT,
	 "{\"occurredAt\":\"2026-03-01T08:00:00Z\",\"occurred_at\":\"2026-03-01T08:00:00Z\"}",
	 NULL},
	{"FieldNameDuplicateDifferentCasing2", EVENT,
	 "{\"occurred_at\":\"2026-03-01T08:00:00Z\",\"occurredAt\":\"2026-03-01T08:00:00Z\"}",
	 NULL},
	{"FieldNameNotQuoted", EVENT, "{subject:\"a\"}", NULL},
	{"FieldNameWithSingleQuotes", EVENT, "{'subject':\"a\"}", NULL},
	{"TrailingCommaInAnObject", EVENT, "{\"subject\":\"a\",}", NULL},
	{"TrailingCommaInAnObjectWithSpace", EVENT, "{\"subject\":\"a\" , }", NULL},
	{"JsonWithComments", EVENT, "{\"subject\":\"a\" /* comment */}", NULL},
	{"MissingCommaOneline", EVENT, "{\"subject\":\"a\" \"actor\":\"b\"}", NULL},
	{"OneofFieldDuplicate", OPENED, "{\"personal\":{},\"sealedPersonal\":{}}", NULL},
	{"OneofFieldNullFirst", OPENED,
	 "{\"personal\":null,\"sealedPersonal\":{\"subjectKey\":\"k\"}}",
	 "{\"sealedPersonal\":{\"subjectKey\":\"k\"}}"},
	{"OneofFieldNullSecond", OPENED,
	 "{\"sealedPersonal\":{\"subjectKey\":\"k\"},\"personal\":null}",
	 "{\"sealedPersonal\":{\"subjectKey\":\"k\"}}"},
	{"RepeatedFieldPrimitiveElementIsNull", OPENED,
	 "{\"personal\":{\"contacts\":[\"a\",null]}}", NULL},
	{"RepeatedFieldTrailingComma", OPENED, "{\"personal\":{\"contacts\":[\"a\",]}}", NULL},
	{"RepeatedFieldWrongElementTypeExpectingStringsGotInt", OPENED,
	 "{\"personal\":{\"contacts\":[\"a\",1]}}", NULL},
	{"AnyUnorderedTypeTag", EVENT,
	 "{\"payload\":{\"priority\":2,\"@type\":\"type.googleapis.com/"
	 "consular.case.v1.CaseOpened\"}}",
	 "{\"payload\":{\"@type\":\"type.googleapis.com/"
	 "consular.case.v1.CaseOpened\",\"priority\":\"PRIORITY_P2\"}}"},
	{"AnyNull", EVENT, "{\"payload\":null}", "{}"},
	{"AnyWithNoType", EVENT, "{\"payload\":{\"priority\":2}}", NULL},
	{"AnyWktRepresentationWithEmptyTypeAndValue", EVENT,
	 "{\"payload\":{\"@type\":\"\",\"value\":\"\"}}", NULL},
	{"AnyWktRepresentationWithBadTypeURL", EVENT,
	 "{\"payload\":{\"@type\":\"not_a_url\",\"value\":\"\"}}", NULL},
	{"DurationMinValue", "google.protobuf.Duration", "\"-315576000000s\"",
	 "\"-315576000000s\""},
	{"DurationMaxValue", "google.protobuf.Duration", "\"315576000000s\"", "\"315576000000s\""},
	{"DurationHas3FractionalDigits", "google.protobuf.Duration", "\"1.01s\"", "\"1.010s\""},
	{"DurationMissingS", "google.protobuf.Duration", "\"1\"", NULL},
	{"DurationJsonInputTooSmall", "google.protobuf.Duration", "\"-315576000001s\"", NULL},
	{"DurationJsonInputTooLarge", "google.protobuf.Duration", "\"315576000001s\"", NULL},
	{"DurationNot9Digits", "google.protobuf.Duration", "\"1.0000000001s\"", NULL},
};

static const ProtobufCMessageDescriptor *find(const char *name)
{
	return strcmp(name, KINDS) == 0 ? &kinds_type : vl_message_find(name, strlen(name));
}

static void test_conformance(void **state)
{
	struct vl_arena *arena = vl_arena_open(0);
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ProtobufCMessage *message;
		struct vl_buf out = {0};
		struct vl_why why = {0};
		vl_arena_reset(arena);
		enum vl_err err = vl_json_parse(find(cases[i].type), cases[i].text,
						strlen(cases[i].text), arena, &message, &why);
		if (err == VL_OK)
			vl_json_print(message, &out);
		const char *got = err == VL_OK ? vl_buf_text(&out) : NULL;
		if ((got == NULL) != (cases[i].printed == NULL) ||
		    (got != NULL && strcmp(got, cases[i].printed) != 0)) {
			print_error("%s: %s gives %s\n", cases[i].name, cases[i].text,
				    got != NULL ? got : why.text);
			wrong++;
		}
		vl_buf_free(&out);
	}
	vl_arena_close(arena);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conformance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
