//! Archives that are wrong by design: what each is refused with, and what is taken.

use super::{compressed, read, signed};
use ruvector_persistence::archive::{Expect, Format};
use ruvector_persistence::control::Control;
use ruvector_persistence::error::Kind;
use ruvector_persistence::format::{Description, Metric};
use ruvector_persistence::ops::load;

/// A JSON archive around the text of its entries.
fn json(vectors: &str) -> String {
    format!(r#"{{"version":"1.0.0","options":{{"dimension":1}},"vectors":[{vectors}],"timestamp":5}}"#)
}

fn refused(bytes: &[u8], kind: Kind, part: &str) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
    let error = read(bytes, false).map(|found| found.entries).expect_err(&shown);
    assert_eq!(error.kind, kind, "{shown}: {error}");
    assert!(error.message.contains(part), "{shown}: {error} does not say '{part}'");
    // What can be said only at the end of the file comes after the checksum.
    let verified = read(bytes, true).unwrap_err().kind;
    assert!(verified == kind || verified == Kind::Checksum, "{shown}, verified: {verified:?}");
}

#[test]
fn json_that_is_no_archive_is_refused_with_line_and_column() {
    let place = "line 1, column 1";
    refused(b"", Kind::Format, "the file is empty");
    refused(b"x", Kind::Format, place);
    refused(&[0; 4_096], Kind::Format, place);
    refused(b"hello world, this is a text file", Kind::Format, place);
    refused(b"[1,2,3]", Kind::Format, place);
    refused(b"[{\"id\":\"a\",\"vector\":[1]}]", Kind::Format, place);
    refused(b"\"text\"", Kind::Format, place);
    refused(b"null", Kind::Format, place);
    refused(&[b"\xef\xbb\xbf", json("").as_bytes()].concat(), Kind::Format, "byte order mark");
    refused(b"{}", Kind::Format, "vectors");
    refused(b"{", Kind::Format, "");
    refused(b"{\"", Kind::Format, "cut");
    refused(b"{\"a\":1}", Kind::Format, "vectors");
    refused(b"{'version':1}", Kind::Format, place);
    refused(b"SQLite format 3\0 and more", Kind::Format, "not a SQLite database");
    refused(b"SQLite format 4\0 and more", Kind::Format, "SQLite");
    refused(b"redb\x1a\x0a\xa9\x0d\x0a", Kind::Format, "exportRuvector");
    let pretty = "{\n  \"version\": \"1.0.0\",\n  \"vectors\": [\n    {\"id\": \"a\", \"vector\": [1,]}\n  ]\n}";
    refused(pretty.as_bytes(), Kind::Format, "line 4, column 5");
    refused(pretty.replace(",]", "]").replace("  ]\n", "  ],\n").as_bytes(), Kind::Format, "line 6, column 1");
}

#[test]
fn json_entries_that_are_not_well_formed_are_refused() {
    let numbers = [
        "NaN",
        "Infinity",
        "1e999",
        "-1e999",
        "1e39",
        "01",
        "+1",
        ".5",
        "5.",
        "1e",
        "0x1",
        "true",
        "[1]",
        "{}",
        "\"1\"",
        "\"nan\"",
        "1,",
        ",1",
        "1,,1",
        "1_0",
        "1;",
        "undefined",
    ];
    for number in numbers {
        refused(json(&format!(r#"{{"id":"a","vector":[{number}]}}"#)).as_bytes(), Kind::Format, "line 1, column 57");
    }
    refused(
        json(r#"{"id":"a","vector":[1 2]}"#).as_bytes(),
        Kind::Format,
        "line 1, column 79: white space inside a value",
    );
    for entry in [
        "1",
        "null",
        "\"a\"",
        "[]",
        "{}",
        r#"{"id":"a"}"#,
        r#"{"vector":[1]}"#,
        r#"{"id":null,"vector":[1]}"#,
        r#"{"id":1,"vector":[1]}"#,
        r#"{"id":"a","vector":null}"#,
        r#"{"id":"a","vector":"AAAA"}"#,
        r#"{"id":"a","vector":[1],"vector":[2]}"#,
        r#"{"id":"a","id":"a","vector":[1]}"#,
        r#"{"id":"a","vector":[1],"more":1}"#,
        r#"{"id":"a","vector":[1]"#,
        r#"{"id":"a","vector":[1]]"#,
        r#"{"id":"\ud800","vector":[1]}"#,
        r#"{"id":"a\qb","vector":[1]}"#,
        "{\"id\":\"a\nb\",\"vector\":[1]}",
        r#"{id:"a","vector":[1]}"#,
        r#"{"id":"a","vector":{"1":1}}"#,
        r#"{"id":"a","vector":{"0":1,"length":1}}"#,
        r#"{"id":"a","vector":[1],}"#,
        r#"{"id":"a" "vector":[1]}"#,
        r#"{"id":"a","vector":[1]} {"id":"b","vector":[1]}"#,
        r#"{"id":"a","vector":[1]},"#,
        r#",{"id":"a","vector":[1]}"#,
    ] {
        refused(json(entry).as_bytes(), Kind::Format, "line 1, column ");
    }
    refused(b"{\"version\":\"1.0.0\",\"vectors\":[{\"id\":\"\xff\",\"vector\":[1]}]}", Kind::Format, "line 1, column ");
    refused(
        b"{\"version\":\"1.0.0\",\"vectors\":[{\"id\":\"a\",\"vector\":[1],\"metadata\":{\"a\":\"\xff\"}}]}",
        Kind::Format,
        "UTF-8",
    );
}

#[test]
fn what_json_entries_cannot_hold_is_refused_by_its_kind() {
    let with = |id: &str, vector: &str, metadata: &str| {
        json(&format!(r#"{{"id":"{id}","vector":{vector},"metadata":{metadata}}}"#))
    };
    refused(with("", "[1]", "{}").as_bytes(), Kind::Id, "1 to 1024 bytes");
    refused(with(&"x".repeat(1_025), "[1]", "{}").as_bytes(), Kind::Id, "1025 bytes");
    refused(with("a\\u0000b", "[1]", "{}").as_bytes(), Kind::Id, "NUL");
    refused(with("a", "[]", "{}").as_bytes(), Kind::Dimension, "0 numbers");
    refused(with("a", &format!("[{}0]", "0,".repeat(65_536)), "{}").as_bytes(), Kind::Dimension, "65536");
    refused(with("a", "[1,2]", "{}").as_bytes(), Kind::Dimension, "dimension 2, expected 1");
    for metadata in ["[]", "1", "\"text\"", "true"] {
        refused(with("a", "[1]", metadata).as_bytes(), Kind::Metadata, "'a' is not a JSON object");
    }
    for metadata in [r#"{"a":1,}"#, r#"{"a":NaN}"#, r#"{"a":01}"#, r#"{"a"}"#, r#"{"a":"\x"}"#] {
        refused(with("a", "[1]", metadata).as_bytes(), Kind::Metadata, "'a' is not JSON");
    }
    let two = json(r#"{"id":"a","vector":[1]},{"id":"b","vector":[1,2]}"#);
    refused(two.as_bytes(), Kind::Dimension, "id 'b' has 2 numbers");
}

#[test]
fn members_that_contradict_or_repeat_are_refused() {
    let state = |members: &str| format!(r#"{{"version":"1.0.0",{members}"vectors":[{{"id":"a","vector":[1]}}]}}"#);
    refused(state(r#""version":"1.0.0","#).as_bytes(), Kind::Format, "two members 'version'");
    refused(state(r#""vectors":[],"#).as_bytes(), Kind::Format, "two members 'vectors'");
    refused(state(r#""vec\u0074ors":[],"#).as_bytes(), Kind::Format, "two members 'vectors'");
    refused(state(r#""timestamp":"now","#).as_bytes(), Kind::Format, "timestamp");
    refused(state(r#""checksum":5,"#).as_bytes(), Kind::Format, "checksum");
    refused(state(r#""options":[],"#).as_bytes(), Kind::Format, "options");
    refused(state(r#""options":{"dimension":-1},"#).as_bytes(), Kind::Format, "options");
    refused(state(r#""options":{"dimension":1.5},"#).as_bytes(), Kind::Format, "options");
    refused(state(r#""options":{"dimension":65537},"#).as_bytes(), Kind::Dimension, "65537");
    refused(state(r#""options":{"dimension":7},"#).as_bytes(), Kind::Dimension, "expected 7");
    refused(state(r#""options":{"dimension":1},"stats":{"dimension":2},"#).as_bytes(), Kind::Dimension, "expected 1");
    refused(state(r#""options":{"metric":"hamming"},"#).as_bytes(), Kind::Metric, "hamming");
    refused(state(r#""options":{"metric":"dot"},"stats":{"metric":"cosine"},"#).as_bytes(), Kind::Metric, "dot");
    refused(state(&(0..70).map(|n| format!("\"m{n}\":1,")).collect::<String>()).as_bytes(), Kind::Format, "too many");
    for (version, kind) in [("\"2.0.0\"", Kind::Version), ("\"10.1.0\"", Kind::Version), ("\"0.9.0\"", Kind::Version)] {
        refused(format!(r#"{{"version":{version},"vectors":[]}}"#).as_bytes(), kind, "this build reads 1.x.y");
    }
    for version in ["1", "null", "\"\"", "\"one\"", "[]"] {
        refused(format!(r#"{{"version":{version},"vectors":[]}}"#).as_bytes(), Kind::Format, "version");
    }
    refused(br#"{"vectors":[]}"#, Kind::Format, "version");
}

#[test]
fn checksum_and_count_are_checked_when_asked_for() {
    let fails = |text: &str, kind: Kind, part: &str| {
        let error = read(text.as_bytes(), true).unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(part), "{error}");
        assert_eq!(read(text.as_bytes(), false).unwrap().entries.len(), 1);
    };
    let one = json(r#"{"id":"a","vector":[1]}"#);
    fails(&one, Kind::Checksum, "checksum missing");
    fails(&signed(&one).replace("[1]", "[2]"), Kind::Checksum, "checksum verification failed");
    let counted = one.replace(r#""vectors""#, r#""stats":{"count":2},"vectors""#);
    fails(&signed(&counted), Kind::Corrupt, "2 entries");
    assert!(read(signed(&one).as_bytes(), true).is_ok());
    // The checksum leaves out white space between tokens and nothing else.
    let spaced = signed(&one).replace(":", " : ").replace("{\"", "{\n\t\"");
    assert!(read(spaced.as_bytes(), true).is_ok());
}

#[test]
fn unusual_json_that_is_well_formed_is_taken_as_it_is() {
    let text = signed(&json(
        r#"{"id":"a","vector":[-0.0],"metadata":{"a":1,"a":2,"n":9007199254740993,"e":1e999,"s":"\ud800"}},{"id":"__proto__","vector":{"0":null}},{"vector":["-Infinity"],"metadata":null,"id":"\u00e9"}"#,
    ));
    let found = read(text.as_bytes(), true).unwrap().entries;
    assert_eq!(found[0].vector[0].to_bits(), (-0.0_f32).to_bits());
    assert_eq!(found[0].metadata.as_deref(), Some(r#"{"a":1,"a":2,"n":9007199254740993,"e":1e999,"s":"\ud800"}"#));
    assert_eq!((&*found[1].id, found[1].vector[0].is_nan()), ("__proto__", true));
    assert_eq!((&*found[2].id, found[2].vector[0], found[2].metadata.as_deref()), ("é", f32::NEG_INFINITY, None));
}

/// Loads a file of that name, as a database of that description would.
fn load(name: &str, bytes: &[u8], expect: Expect) -> ruvector_persistence::error::Result<load::Loaded> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    #[expect(clippy::disallowed_methods, reason = "a test makes its own files")]
    std::fs::write(&path, bytes).unwrap();
    load::run(&load::Request { path: path.to_str().unwrap(), expect, operation: "load" }, &Control::default())
}

#[test]
fn of_two_entries_with_one_id_the_last_wins() {
    let text =
        signed(&json(r#"{"id":"a","vector":[1],"metadata":{"n":1}},{"id":"b","vector":[2]},{"id":"a","vector":[3]}"#));
    let loaded = load("x.json", text.as_bytes(), Expect { verify: true, ..Expect::default() }).unwrap();
    let found = loaded.collection.get("a").unwrap().unwrap();
    assert_eq!((loaded.collection.len(), found.vector[0], &found.metadata), (2, 3.0, &None));
}

#[test]
fn codec_and_format_are_told_by_content_not_by_name() {
    let text = signed(&json(r#"{"id":"a","vector":[1]}"#));
    for compression in super::COMPRESSIONS {
        for name in ["x.json", "x.json.gz", "x.bin.brotli", "x.zstd", "x"] {
            let bytes = compressed(text.as_bytes(), compression);
            let loaded = load(name, &bytes, Expect { verify: true, ..Expect::default() }).unwrap();
            assert_eq!(loaded.source.compression, compression, "{name}");
        }
    }
    let insist = Expect { format: Some(Format::Binary), ..Expect::default() };
    let error = load("x.bin", text.as_bytes(), insist).unwrap_err();
    assert_eq!(error.kind, Kind::Format);
    assert!(error.message.contains("holds format 'json'") && error.message.contains("x.bin"), "{error}");
}

#[test]
fn an_archive_of_another_dimension_or_metric_than_the_database_is_refused() {
    let text =
        signed(&json(r#"{"id":"a","vector":[1]}"#).replace("\"dimension\":1", "\"dimension\":1,\"metric\":\"dot\""));
    let of = |dimension, metric| Expect { verify: true, description: Description { dimension, metric }, format: None };
    assert_eq!(load("x", text.as_bytes(), of(Some(2), None)).unwrap_err().kind, Kind::Dimension);
    assert_eq!(load("x", text.as_bytes(), of(None, Some(Metric::Cosine))).unwrap_err().kind, Kind::Metric);
    assert!(load("x", text.as_bytes(), of(Some(1), Some(Metric::Dot))).is_ok());
}

/// A fixstr.
fn s(text: &str) -> Vec<u8> {
    [vec![0xa0 | u8::try_from(text.len()).unwrap()], text.as_bytes().to_vec()].concat()
}

/// A binary archive around the bytes of `vectors`.
fn binary(vectors: &[u8]) -> Vec<u8> {
    [&[0x82][..], &s("version"), &s("1.0.0"), &s("vectors"), vectors].concat()
}

#[test]
fn messagepack_that_is_not_well_formed_is_refused_with_its_offset() {
    let entry = |members: &[Vec<u8>]| {
        binary(&[&[0x91, 0x80 | u8::try_from(members.len() / 2).unwrap()][..], &members.concat()].concat())
    };
    let bin = vec![0xc4, 4, 0, 0, 0, 0];
    assert_eq!(read(&entry(&[s("id"), s("a"), s("vector"), bin.clone()]), false).unwrap().entries.len(), 1);
    for (bytes, part) in [
        (vec![0x81, 0x01, 0x02], "neither"),
        (vec![0x90], "neither"),
        ([&[0x81][..], &s("version")].concat(), "cut"),
        ([&[0x81][..], &s("version"), &s("1.0.0")].concat(), "vectors"),
        ([&[0x82][..], &s("version"), &s("1.0.0"), &[5, 0x90]].concat(), "name as a string"),
        ([&[0x82][..], &s("version"), &s("1.0.0"), &s("version"), &s("1.0.0")].concat(), "two members"),
        (binary(&[0x80]), "not an array"),
        (binary(&[0x91, 0x01]), "as a map"),
        (binary(&[0x91, 0xd4, 1, 2]), "extension"),
        (binary(&[0x91, 0xc7, 1, 5, 2]), "extension"),
        (binary(&[0x91, 0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]), "extension"),
        (binary(&[0x91, 0xc1]), "extension"),
        (binary(&[0x90, 0xc0]), "other bytes follow"),
        (entry(&[s("id"), s("a")]), "no vector"),
        (entry(&[s("vector"), bin.clone()]), "no id"),
        (entry(&[s("id"), vec![7], s("vector"), bin.clone()]), "an id as a string"),
        (entry(&[s("id"), vec![0xa1, 0xff], s("vector"), bin.clone()]), "not UTF-8"),
        (entry(&[vec![7], s("a"), s("vector"), bin.clone()]), "name as a string"),
        (entry(&[s("id"), s("a"), s("id"), s("b"), s("vector"), bin.clone()]), "two members"),
        (entry(&[s("id"), s("a"), s("vector"), bin.clone(), s("more"), vec![1]]), "not known"),
        (entry(&[s("id"), s("a"), s("vector"), vec![0xc4, 3, 0, 0, 0]]), "multiple of 4"),
        (entry(&[s("id"), s("a"), s("vector"), s("0000")]), "neither binary nor an array"),
        (entry(&[s("id"), s("a"), s("vector"), vec![0x91, 0xa0]]), "not a number"),
        (entry(&[s("id"), s("a"), s("vector"), bin.clone(), s("metadata"), vec![0x90]]), "neither JSON text nor a map"),
        (entry(&[s("id"), s("a"), s("vector"), bin.clone(), s("metadata"), vec![0x81, 1, 1]]), "a key as a string"),
        (
            entry(&[
                s("id"),
                s("a"),
                s("vector"),
                bin.clone(),
                s("metadata"),
                [&[0x81][..], &s("k"), &[0xc4, 0]].concat(),
            ]),
            "JSON does not have",
        ),
    ] {
        refused(&bytes, Kind::Format, part);
    }
    refused(&entry(&[s("id"), s("a"), s("vector"), vec![0xc4, 0]]), Kind::Dimension, "0 numbers");
    refused(&entry(&[s("id"), s(""), s("vector"), bin.clone()]), Kind::Id, "empty");
    refused(
        &entry(&[s("id"), s("a"), s("vector"), bin.clone(), s("metadata"), s("[]")]),
        Kind::Metadata,
        "JSON object",
    );
    refused(&[&[0x82][..], &s("version"), &s("2.0.0"), &s("vectors"), &[0x90]].concat(), Kind::Version, "1.x.y");
    let last = [&[0x83][..], &s("version"), &s("1.0.0"), &s("checksum"), &s("x"), &s("vectors"), &[0x90]].concat();
    refused(&last, Kind::Format, "not the last member");
}
