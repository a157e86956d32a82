#!/usr/bin/env python3
"""Make the golden vectors of the wire contract: records.json, chains.json, json.json and keys/*.pub.

Nothing here comes from Valise's C code: the messages are protobuf's own Python runtime over proto/*.proto, the
signatures PyNaCl's, the digests hashlib's, and judge.py is a second reading of the contract that must agree with the
verdict each vector states. Seeds and times are fixed, so that every run writes the same bytes.

  make.py           write the files beside this script
  make.py --check   write nothing; say what differs and exit 1
"""
import json
import os
import re
import sys

sys.dont_write_bytecode = True

from judge import judge
from spellings import make_json
from wire import (BATCH_MAX, CONTENT, DOMAINS, EGYPT, ENROLLED, HERE, HQ, LANE, MISSION, OTHER_LANE, STRANGER, SUDAN,
                  SUDAN2, ZERO, Batch, Event, batch, batch_of_size, blake, event, event_id, pack, raw_field, text64)

RUN = 64  # equal bytes in a row that are worth a recipe


# --- records ----------------------------------------------------------------------------------------------------------


def record(name, expect, value, sigs=None, key=MISSION, topic=LANE, domain="batch", content=True, more=()):
    """A record; `sigs` are header values, by default the sender's own good signature."""
    headers = []
    if content is True:
        headers.append(["content-type", CONTENT[domain]])
    elif content is not None:
        headers.append(["content-type", content])
    if sigs is None:
        sigs = [SUDAN.header(value, DOMAINS[domain])]
    headers += [["vl-sig", s] for s in sigs] + list(more)
    return {"name": name, "expect": expect, "topic": topic, "key": None if key is None else key.encode(),
            "headers": headers, "value": value}


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def good_records():
    good = pack(batch())
    thousand = batch([Event(id=event_id(n), subject="CN-SD-EMB-2026-%06d" % n) for n in range(1, 1001)])
    huge = 2**64 - 1
    yield record("one event", "ok", good)
    yield record("1000 events", "ok", pack(thousand))
    yield record("later in its chain", "ok",
                 pack(batch(epoch=3, seq=41, first_event=977, prev=blake(b"the batch before"))))
    yield record("largest numbers", "ok", pack(batch(epoch=huge, seq=huge, first_event=huge)))
    yield record("two signatures of one sender", "ok", good, [SUDAN.header(good), SUDAN2.header(good)])
    yield record("countersigned by headquarters", "ok", good, [SUDAN.header(good), HQ.header(good)])
    yield record("countersigned, the sender last", "ok", good, [HQ.header(good), SUDAN.header(good)])
    yield record("second key of the sender", "ok", good, [SUDAN2.header(good)])
    yield record("key id in capitals", "ok", good, [SUDAN.header(good)[:32].upper() + SUDAN.header(good)[32:]])
    yield record("drill", "ok", good, domain="drill")
    yield record("traceparent", "ok", good,
                 more=[["traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]])
    yield record("a header of somebody else's", "ok", good, more=[["x-note", "领事".encode()]])
    yield record("mirrored topic", "ok", good, topic="site." + LANE)
    down = pack(batch(mission="HQ"))
    yield record("headquarters", "ok", down, [HQ.header(down)], key="HQ")
    text = pack(batch([event(subject="案件-一")]))
    yield record("text beyond ASCII", "ok", text)
    yield record("largest batch", "ok", batch_of_size(BATCH_MAX))
    bare = pack(batch([Event(id=event_id(1))]))
    yield record("event with an id only", "ok", bare)
    unordered = good[len(raw_field(1, 2, MISSION.encode())):] + raw_field(1, 2, MISSION.encode())
    yield record("fields in another order", "ok", unordered)


def bad_outside():
    """What is wrong before the signature is looked at."""
    good = pack(batch())
    sig = SUDAN.header(good)
    yield record("no value", "null_value", None, [sig])
    yield record("one byte too large", "too_large", batch_of_size(BATCH_MAX + 1))
    yield record("no signature", "unsigned", good, [])
    yield record("no headers", "unsigned", good, [], content=None)
    for name, text in {
            "empty": b"",
            "no dot": sig.replace(b".", b""),
            "key id of 31 digits": sig[1:],
            "key id of 33 digits": b"0" + sig,
            "key id not hex": b"g" + sig[1:],
            "signature cut": sig[:-4],
            "signature of 65 bytes": SUDAN.text(SUDAN.sign(good) + b"\0"),
            "signature in hex": sig[:33] + SUDAN.sign(good).hex().encode(),
            "not base64": sig[:40] + b"*" + sig[41:],
            "no padding": sig[:-2],
            "half the padding": sig[:-1],
            "too much padding": sig + b"=",
            "unused bits set": sig[:-3] + bytes([sig[-3] + 1]) + b"==",
            "space before": b" " + sig,
            "space behind": sig + b" ",
            "line feed behind": sig + b"\n",
            "NUL behind": sig + b"\0"}.items():
        yield record("vl-sig: " + name, "bad_header", good, [text])
    yield record("vl-sig: null", "bad_header", good, [None])
    odd = next(v for v in (pack(batch(epoch=n)) for n in range(1, 100)) if re.search(rb"[+/]", SUDAN.header(v)))
    url = SUDAN.header(odd).replace(b"+", b"-").replace(b"/", b"_")
    yield record("vl-sig: base64 for URLs", "bad_header", odd, [url])
    yield record("vl-sig: second one malformed", "bad_header", good, [sig, sig[:-1]])
    yield record("vl-sig: not UTF-8", "bad_header", good, [b"\xff" + sig[1:]])
    yield record("traceparent not UTF-8", "bad_header", good, more=[["traceparent", b"00-\xff"]])
    yield record("no content-type", "bad_header", good, content=None)
    yield record("other content-type", "bad_header", good, content=b"application/json")
    yield record("content-type twice", "bad_header", good, more=[["content-type", CONTENT["batch"]]])
    yield record("content-types of batch and drill", "bad_header", good, more=[["content-type", CONTENT["drill"]]])
    yield record("content-type null", "bad_header", good, content=None, more=[["content-type", None]])
    yield record("content-type of version 2", "bad_header", good, content=b"application/vnd.valise.batch.v2+protobuf")
    yield record("content-type with a parameter", "bad_header", good, content=CONTENT["batch"] + b"; charset=utf-8")


def bad_signatures():
    good = pack(batch())
    sig = SUDAN.header(good)
    yield record("unknown key", "unknown_key", good, [STRANGER.header(good)])
    yield record("second signature of an unknown key", "unknown_key", good, [sig, STRANGER.header(good)])
    yield record("a bad signature beside an unknown key", "unknown_key", good,
                 [SUDAN.text(SUDAN2.sign(good)), STRANGER.header(good)])
    for bit in (0, 61, 127):
        altered = flip(SUDAN.id, bit).hex().encode() + sig[32:]
        yield record("key id: bit %d flipped" % bit, "unknown_key", good, [altered])
    yield record("key id of the sender's other key", "bad_signature", good, [SUDAN2.id.hex().encode() + sig[32:]])
    for bit in (0, 255, 256, 504, 511):
        altered = SUDAN.text(flip(SUDAN.sign(good), bit))
        yield record("signature: bit %d flipped" % bit, "bad_signature", good, [altered])
    for region, text in {"mission": MISSION.encode(), "lane": LANE.encode(), "event id": event_id(1), "subject":
                         b"CN-SD-EMB-2026", "payload type": b"CaseTriaged", "actor": b"duty"}.items():
        yield record("value: a bit flipped in " + region, "bad_signature", flip(good, good.index(text) * 8), [sig])
    for name, bit in {"first": 0, "last": len(good) * 8 - 1}.items():
        yield record("value: %s bit flipped" % name, "bad_signature", flip(good, bit), [sig])
    for name, region in {"epoch": raw_field(3, 0, b"\1"), "seq": raw_field(4, 0, b"\1"), "first_event":
                         raw_field(5, 0, b"\1"), "prev": raw_field(6, 2, ZERO)}.items():
        end = good.index(region) + len(region) - 1
        yield record("value: a bit flipped in " + name, "bad_signature", flip(good, end * 8 + 1), [sig])
    yield record("value: last byte missing", "bad_signature", good[:-1], [sig])
    yield record("value: a byte more", "bad_signature", good + b"\0", [sig])
    yield record("signature of another batch", "bad_signature", good, [SUDAN.header(pack(batch(seq=2)))])
    yield record("batch sent as drill", "bad_signature", good, [sig], domain="drill")
    yield record("drill sent as batch", "bad_signature", good, [SUDAN.header(good, DOMAINS["drill"])])
    yield record("signed without domain", "bad_signature", good, [SUDAN.header(good, b"")])
    yield record("signed without the domain's NUL", "bad_signature", good, [SUDAN.header(good, b"valise/batch/v1")])
    whole = SUDAN.text(SUDAN.secret.sign(DOMAINS["batch"] + good).signature)
    yield record("signed value instead of digest", "bad_signature", good, [whole])
    yield record("second signature bad", "bad_signature", good, [sig, SUDAN2.text(SUDAN.sign(good))])
    yield record("first signature bad", "bad_signature", good, [SUDAN.text(SUDAN2.sign(good)), SUDAN2.header(good)])
    s = int.from_bytes(SUDAN.sign(good)[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    yield record("signature with s beyond the group order", "bad_signature", good,
                 [SUDAN.text(SUDAN.sign(good)[:32] + s.to_bytes(32, "little"))])


def bad_inside():
    """Well signed, and wrong."""
    good = pack(batch())

    def signed(name, expect, value, **more):
        return record(name, expect, value, [SUDAN.header(value)], **more)

    yield record("another mission's key", "wrong_mission", good, [EGYPT.header(good)])
    yield record("headquarters' key on a mission's batch", "wrong_mission", good, [HQ.header(good)])
    yield record("signed by all but the sender", "wrong_mission", good, [EGYPT.header(good), HQ.header(good)])
    yield signed("record key of another mission", "wrong_mission", good, key="CN-EG-EMB")
    yield signed("record key null", "wrong_mission", good, key=None)
    yield signed("record key empty", "wrong_mission", good, key="")
    yield signed("record key in small letters", "wrong_mission", good, key=MISSION.lower())
    yield signed("batch names another mission", "wrong_mission", pack(batch(mission="CN-EG-EMB")))
    yield signed("batch and record key name another mission", "wrong_mission", pack(batch(mission="CN-EG-EMB")),
                 key="CN-EG-EMB")
    yield signed("wrong lane", "wrong_lane", good, topic=OTHER_LANE)
    yield signed("wrong lane, mirrored", "wrong_lane", good, topic="site." + OTHER_LANE)
    yield signed("empty value", "malformed", b"")
    for name, cut in {"in the last event": len(good) - 3, "in the head": 15, "behind a tag": 1}.items():
        yield signed("cut short " + name, "malformed", good[:cut])
    yield signed("garbage behind: field 0", "malformed", good + b"\0")
    yield signed("garbage behind: no such wire type", "malformed", good + b"\x0f")
    yield signed("garbage behind: a group", "malformed", good + b"\x5b\x5c")
    yield signed("garbage behind: endless varint", "malformed", good + b"\x50" + b"\xff" * 11)
    for field in ("mission", "lane", "epoch", "seq", "first_event", "prev", "signed_at", "events"):
        yield signed("without " + field, "malformed", pack(batch(without=[field])))
    for field in (3, 4, 5):
        zero = good.replace(raw_field(field, 0, b"\1"), raw_field(field, 0, b"\0"), 1)
        yield signed("%s given as 0" % Batch.DESCRIPTOR.fields_by_number[field].name, "malformed", zero)
    yield signed("prev of 31 bytes", "malformed", pack(batch(prev=ZERO[:31])))
    yield signed("prev of 33 bytes", "malformed", pack(batch(prev=ZERO + b"\0")))
    yield signed("mission twice", "malformed", good + raw_field(1, 2, MISSION.encode()))
    yield signed("seq twice", "malformed", good + raw_field(4, 0, b"\1"))
    yield signed("signed_at twice", "malformed", good + raw_field(7, 2, b""))
    yield signed("lane not UTF-8", "malformed", good.replace(LANE.encode(), LANE.encode()[:-1] + b"\xff", 1))
    yield signed("lane with a NUL", "malformed", good.replace(LANE.encode(), LANE.encode()[:-1] + b"\0", 1))
    yield signed("seq as text", "malformed", good.replace(raw_field(4, 0, b"\1"), raw_field(4, 2, b"1"), 1))
    head = pack(batch(events=[]))
    one = pack(event())
    for name, bad in {
            "subject not UTF-8": one.replace(b"CN-SD", b"CN\xffSD", 1),
            "subject with a NUL": one.replace(b"CN-SD", b"CN\0SD", 1),
            "subject in UTF-16 surrogates": one.replace(b"CN-SD", b"\xed\xa0\x80SD", 1),
            "subject in overlong UTF-8": one.replace(b"CN-SD", b"\xc0\xadNSD", 1),
            "subject twice": one + raw_field(3, 2, b"x"),
            "cut short": one[:-1],
            "type of payload not UTF-8": one.replace(b"CaseTriaged", b"CaseTriage\xff", 1),
            "id as a number": raw_field(1, 0, b"\1")}.items():
        yield signed("event: " + name, "malformed", head + raw_field(8, 2, bad))
    yield signed("second event cut short", "malformed", head + raw_field(8, 2, one) + raw_field(8, 2, one[:-1]))


def write_value(value):
    """Base64, or a list of [base64, times] where long runs of one byte make that shorter."""
    if value is None:
        return None
    parts, at = [], 0
    for run in re.finditer(rb"(.)\1{%d,}" % (RUN - 1), value, re.DOTALL):
        parts += [[value[at:run.start()], 1], [run.group(1), run.end() - run.start()]]
        at = run.end()
    parts.append([value[at:], 1])
    if len(value) < 4096 or len(parts) == 1:
        return text64(value)
    assert b"".join(data * times for data, times in parts) == value
    return [[text64(data), times] for data, times in parts]


def head_of(b):
    return {"mission": b.mission, "lane": b.lane, "epoch": str(b.epoch), "seq": str(b.seq),
            "first_event": str(b.first_event), "prev": b.prev.hex(), "n_events": len(b.events)}


def make_records():
    out = []
    for part in (good_records, bad_outside, bad_signatures, bad_inside):
        for r in part():
            verdict, domain, b = judge(r)
            if verdict != r["expect"]:
                sys.exit("make.py: '%s' is %s by its name and %s by judge()" % (r["name"], r["expect"], verdict))
            row = {"name": r["name"], "expect": r["expect"], "topic": r["topic"],
                   "key": None if r["key"] is None else r["key"].decode(),
                   "headers": [[n, text64(v)] for n, v in r["headers"]], "value": write_value(r["value"]),
                   "digest": None if r["value"] is None else blake(r["value"]).hex()}
            if b is not None:
                row |= {"domain": domain} | head_of(b)
            out.append(row)
    assert len({r["name"] for r in out}) == len(out)
    return out


# --- chains -----------------------------------------------------------------------------------------------------------


class Chain:
    """A sender that numbers and links its batches; `at` builds one with its place given by hand."""

    def __init__(self, epoch=1):
        self.epoch, self.seq, self.first, self.prev = epoch, 0, 1, ZERO

    def at(self, seq, first, prev, epoch=None, events=1):
        return pack(batch([event(first + i) for i in range(events)], epoch=epoch or self.epoch, seq=seq,
                          first_event=first, prev=prev))

    def next(self, events=1):
        self.seq += 1
        value = self.at(self.seq, self.first, self.prev, events=events)
        self.first += events
        self.prev = blake(value)
        return value

    def renew(self, epoch):
        self.epoch, self.seq, self.first = epoch, 0, 1


def chain_steps():
    c = Chain()
    b1, b2, b3, b4 = c.next(), c.next(3), c.next(2), c.next()
    d1, d2, d4 = blake(b1), blake(b2), blake(b4)
    other = blake(b"no batch of ours")
    c.renew(2)
    e1, e2 = c.next(), c.next()
    yield "in order", [(b1, "next"), (b2, "next"), (b3, "next"), (b4, "next"), (e1, "next"), (e2, "next")]
    yield "replayed", [(b1, "next"), (b1, "known"), (b2, "next"), (b1, "known"), (b2, "known"), (b3, "next")]
    yield "gap, filled later", [(b1, "next"), (b3, "ahead"), (b4, "ahead"), (b2, "next"), (b3, "next"), (b4, "next")]
    yield "begins in the middle", [(b2, "ahead"), (b1, "next"), (b2, "next")]
    yield "first epoch is not 1", [(c.at(1, 1, ZERO, epoch=7), "next")]
    yield "first batch with seq 2 and no past", [(c.at(2, 1, ZERO, epoch=1), "ahead")]
    yield "forked: other batch in a taken place", [(b1, "next"), (b2, "next"), (c.at(2, 2, d1, epoch=1), "known")]
    yield "forked: prev of another batch", [(b1, "next"), (c.at(2, 2, other, epoch=1), "mismatch"), (b2, "next")]
    yield "forked: prev of zeros", [(b1, "next"), (c.at(2, 2, ZERO, epoch=1), "mismatch")]
    yield "forked: prev of the batch before the last", [(b1, "next"), (b2, "next"),
                                                        (c.at(3, 5, d1, epoch=1), "mismatch")]
    yield "forked: event numbers repeat", [(b1, "next"), (b2, "next"), (c.at(3, 4, d2, epoch=1), "mismatch")]
    yield "forked: event numbers jump", [(b1, "next"), (b2, "next"), (c.at(3, 6, d2, epoch=1), "mismatch")]
    yield "new epoch before the old one's end", [(b1, "next"), (b2, "next"), (e1, "ahead"), (e2, "ahead"), (b3, "next"),
                                                 (e1, "ahead"), (b4, "next"), (e1, "next"), (e2, "next")]
    yield "new epoch begins in the middle", [(b1, "next"), (b2, "next"), (b3, "next"), (b4, "next"),
                                             (e2, "ahead"), (e1, "next")]
    yield "new epoch has forgotten the past", [(b1, "next"), (c.at(1, 1, ZERO, epoch=2), "mismatch")]
    yield "new epoch counts events on", [(b1, "next"), (c.at(1, 2, d1, epoch=2), "mismatch")]
    yield "later epoch, nothing of the past has come", [(c.at(1, 1, d1, epoch=2), "ahead")]
    yield "old epoch after the new", [(b1, "next"), (b2, "next"), (b3, "next"), (b4, "next"), (e1, "next"),
                                      (b4, "known"), (c.at(5, 8, d4, epoch=1), "known")]
    yield "epoch left out", [(b1, "next"), (c.at(1, 1, d1, epoch=9), "next")]


def make_chains():
    out = []
    for name, steps in chain_steps():
        rows = []
        for value, expect in steps:
            rows.append({"expect": expect, "value": text64(value), "digest": blake(value).hex()}
                        | head_of(Batch.FromString(value)))
        out.append({"name": name, "steps": rows})
    return out


# --- files ------------------------------------------------------------------------------------------------------------


def rows(items):
    """One row a line, so that a change is a line of a diff."""
    return "[\n" + ",\n".join(json.dumps(i, ensure_ascii=False) for i in items) + "\n]"


def make_files():
    pairs = make_json()
    files = {"records.json": rows(make_records()) + "\n", "chains.json": rows(make_chains()) + "\n",
             "json.json": '{"pairs": %s,\n"refused": %s}\n' % (rows(pairs["pairs"]), rows(pairs["refused"]))}
    for key in ENROLLED:
        files["keys/%s.pub" % key.name] = "%s %s\n" % (key.mission, key.public.hex())
    return files


def main():
    files, differ = make_files(), []
    for name, text in files.items():
        path = os.path.join(HERE, name)
        if sys.argv[1:] == ["--check"]:
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
                differ.append(name)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    for name in differ:
        print("make.py: %s is not what this script makes" % name, file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
