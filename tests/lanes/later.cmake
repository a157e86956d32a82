# The lane of loan/ as a later version of the program has it: its files with these edits, in the folder LATER. A sum has another
# name, a rule is another, an event more is known, and what was counted by country or noted belongs to the board.
function(later_file file)
  file(READ ${CMAKE_CURRENT_SOURCE_DIR}/loan/${file} text)
  # Pairs, old and new.
  math(EXPR last "${ARGC} - 1")
  foreach(at RANGE 1 ${last} 2)
    math(EXPR next "${at} + 1")
    string(FIND "${text}" "${ARGV${at}}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "tests/lanes/later.cmake: ${file} has nothing like: ${ARGV${at}}")
    endif()
    string(REPLACE "${ARGV${at}}" "${ARGV${next}}" text "${text}")
  endforeach()
  file(CONFIGURE OUTPUT ${LATER}/${file} CONTENT "${text}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/loan/${file})
endfunction()

set(lane proto/consular/loan/v1)
configure_file(loan/${lane}/types.proto ${LATER}/${lane}/types.proto COPYONLY)

later_file(${lane}/loan.proto
           "// A note that no row takes." [[// More time was given.
message LoanExtended {
  google.protobuf.Timestamp due_at = 1;
}

// A note that no row takes.]])

later_file(${lane}/view.proto
           "  bool written_off = 13;\n" "  bool written_off = 13;\n  google.protobuf.Timestamp extended_until = 15;\n"
           "int64 granted = 3;" "int64 approved = 3;")

later_file(views/loan.c
           "F(NumbersRow, granted)" "F(NumbersRow, approved)"
           "more came back than was paid" "another sum came back than was paid"
           "loan->repaid > loan->paid" "loan->repaid != loan->paid"
           "	{MESSAGE(LoanWrittenOff), TYPE," [[	{MESSAGE(LoanExtended), F(LoanExtended, due_at), F(LoanRow, extended_until), VL_GREATEST},
	{MESSAGE(LoanWrittenOff), TYPE,]]
           "{MESSAGE(FundsCounted), COUNTRY, F(FundsCounted, country)}," [[{MESSAGE(FundsCounted), BOARD, MISSION},
	{MESSAGE(NoteMade), BOARD, MISSION},]]
           "static const ProtobufCMessageDescriptor *const ignored[] = {MESSAGE(NoteMade), NULL};\n" "\n"
           ", .ignored = ignored" ""
           "\"board\", .row = MESSAGE(NumbersRow), .rules" "\"board\", .row = MESSAGE(NumbersRow), .sets = country_sets, .rules")
