//! What filters mean, over one entry's metadata at a time; what is refused, and with which words.

use super::*;
use serde_json::{Value, json};

const ENTRY: &str = r#"{"id":"a","num":1,"f":1.0,"tags":["x","a"],"nested":{"k":"a","q":{"r":1,"s":null}},"nul":null,
    "flag":true,"big":9007199254740993,"date":"2024-05-01","half":"\ud800","esc":"a\"\u00e9\n","neg":-2.5e0,
    "huge":1e400}"#;

fn holds(filter: &str) -> bool {
    Filter::parse(filter).unwrap().matches(Some(ENTRY)).unwrap()
}

#[test]
fn equality_is_that_of_json_as_in_ruvector() {
    let matching = [
        r#"{"id":"a"}"#,
        r#"{"num":1}"#,
        r#"{"num":1.0}"#,
        r#"{"num":10e-1}"#,
        r#"{"f":1}"#,
        r#"{"tags":["x","a"]}"#,
        r#"{"tags":["x", "\u0061"]}"#,
        r#"{"nested":{"q":{"s":null,"r":1.0},"k":"a"}}"#,
        r#"{"nul":null}"#,
        r#"{"flag":true,"id":"a"}"#,
        r#"{"big":9007199254740993}"#,
        r#"{"half":"\ud800"}"#,
        r#"{"\u0069d":"a"}"#,
        r#"{"esc":"a\u0022é\u000a"}"#,
        r#"{"neg":-2.50}"#,
        "{}",
        " { } ",
    ];
    for filter in matching {
        assert!(holds(filter), "{filter}");
    }
    let others = [
        r#"{"id":"A"}"#,
        r#"{"id":["a"]}"#,
        r#"{"num":"1"}"#,
        r#"{"num":true}"#,
        r#"{"tags":"x"}"#,
        r#"{"tags":["a","x"]}"#,
        r#"{"tags":["x"]}"#,
        r#"{"tags":["x","a","b"]}"#,
        r#"{"tags":{}}"#,
        r#"{"nested":{"k":"a"}}"#,
        r#"{"nested":{"k":"a","q":{"r":1,"s":null},"more":1}}"#,
        r#"{"nested.k":"a"}"#,
        r#"{"missing":null}"#,
        r#"{"big":9007199254740992}"#,
        r#"{"big":9007199254740992.0}"#,
        r#"{"half":"\ud801"}"#,
        r#"{"flag":true,"id":"b"}"#,
        r#"{"nul":false}"#,
    ];
    for filter in others {
        assert!(!holds(filter), "{filter}");
    }
}

#[test]
fn operators_hold_as_documented() {
    let matching = [
        r#"{"id":{"$eq":"a"}}"#,
        r#"{"id":{"$ne":"b"}}"#,
        r#"{"missing":{"$ne":null}}"#,
        r#"{"num":{"$gt":0.5,"$lt":1.5}}"#,
        r#"{"num":{"$gte":1,"$lte":1}}"#,
        r#"{"neg":{"$lt":-2}}"#,
        r#"{"big":{"$gt":9007199254740992}}"#,
        r#"{"huge":{"$gt":1e300}}"#,
        r#"{"date":{"$gte":"2024-01-01","$lt":"2025"}}"#,
        r#"{"num":{"$in":[3,"x",1.0,null]}}"#,
        r#"{"tags":{"$in":["x",["x","a"]]}}"#,
        r#"{"nul":{"$in":[null]}}"#,
        r#"{"num":{"$nin":[2,"1"]}}"#,
        r#"{"missing":{"$nin":[null]}}"#,
        r#"{"num":{"$nin":[]}}"#,
        r#"{"nul":{"$exists":true},"missing":{"$exists":false}}"#,
        r#"{"num":{"$not":{"$gt":5}}}"#,
        r#"{"missing":{"$not":{"$gt":5}}}"#,
        r#"{"num":{"$not":2}}"#,
        r#"{"$and":[{"id":"a"},{"num":{"$gt":0}}]}"#,
        r#"{"$or":[{"id":"b"},{"num":1}],"flag":true}"#,
        r#"{"$not":{"id":"b"}}"#,
        r#"{"$or":[{"$and":[{"id":"a"},{"id":"b"}]},{"$not":{"missing":1}}]}"#,
        r#"{"nested":{"k":{"$eq":"a"}}}"#,
        r#"{"nested":{"k":"a","q":{"r":{"$gte":1},"s":null}}}"#,
        r#"{"missing":{"inner":{"$exists":false}},"id":{"inner":{"$exists":false}}}"#,
        r#"{"nested":{"$eq":{"k":"a","q":{"r":1,"s":null}}}}"#,
    ];
    for filter in matching {
        assert!(holds(filter), "{filter}");
        assert!(!holds(&format!(r#"{{"$not":{filter}}}"#)), "not {filter}");
    }
    let others = [
        r#"{"num":{"$gt":1}}"#,
        r#"{"num":{"$gt":0,"$lt":1}}"#,
        r#"{"num":{"$gt":"0"}}"#,
        r#"{"id":{"$gt":0}}"#,
        r#"{"flag":{"$gt":0}}"#,
        r#"{"nul":{"$lte":0}}"#,
        r#"{"missing":{"$lt":9}}"#,
        r#"{"missing":{"$in":[null]}}"#,
        r#"{"num":{"$in":[]}}"#,
        r#"{"num":{"$in":[[1]]}}"#,
        r#"{"$or":[{"id":"b"},{"num":2}]}"#,
        r#"{"nested":{"k":{"$eq":"a"},"q":{"r":1}}}"#,
    ];
    for filter in others {
        assert!(!holds(filter), "{filter}");
    }
}

#[test]
fn what_is_not_understood_is_refused_with_what_would_be() {
    let refused = |text: &str| {
        let error = Filter::parse(text).unwrap_err();
        (error.kind, error.message)
    };
    let (kind, message) = refused(r#"{"a":{"$regex":"x"}}"#);
    assert_eq!(kind, Kind::Metadata);
    assert!(
        message.contains("'$regex'") && message.contains("$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not")
    );
    assert!(refused(r#"{"$nor":[{}]}"#).1.contains("'$nor'; allowed here are $and, $or, $not"));
    let others = [
        "",
        "[]",
        "5",
        "\"x\"",
        "null",
        "{",
        "{}{}",
        r#"{"a":}"#,
        r#"{"a":{"$gt":1,"b":2}}"#,
        r#"{"a":{"$gt":null}}"#,
        r#"{"a":{"$gt":[1]}}"#,
        r#"{"a":{"$in":1}}"#,
        r#"{"a":{"$exists":1}}"#,
        r#"{"a":[{"$gt":1}]}"#,
        r#"{"a":{"b":[{"$gt":1}]}}"#,
        r#"{"$and":[]}"#,
        r#"{"$or":[]}"#,
        r#"{"$or":{"a":1}}"#,
        r#"{"$and":[1]}"#,
        r#"{"$not":1}"#,
        r#"{"$eq":1}"#,
        r#"{"a":{"$and":[{"b":1}]}}"#,
    ];
    for text in others {
        assert_eq!(refused(text).0, Kind::Metadata, "{text}");
    }
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(Filter::parse(&nested(128)).is_ok());
    let nots = format!("{{\"a\":{}1{}}}", "{\"$not\":".repeat(200_000), "}".repeat(200_000));
    let ands = format!("{}1{}", "{\"$and\":[".repeat(100_000), "]}".repeat(100_000));
    let arrays = format!("{{\"a\":{}{}}}", "[".repeat(400_000), "]".repeat(400_000));
    for text in [nested(129), nots, ands, arrays, " ".repeat((1 << 20) + 1)] {
        assert_eq!(Filter::parse(&text).unwrap_err().kind, Kind::Limit);
    }
    let deep = format!(r#"{{"b":{},"id":"a"}}"#, nested(128));
    assert!(Filter::parse(r#"{"id":"a","b":{"$ne":1}}"#).unwrap().matches(Some(&deep)).unwrap());
}

#[test]
fn metadata_that_is_missing_or_damaged() {
    let filter = |text| Filter::parse(text).unwrap();
    assert!(filter("{}").matches(None).unwrap());
    assert!(filter(r#"{"a":{"$exists":false}}"#).matches(None).unwrap());
    assert!(!filter(r#"{"a":null}"#).matches(None).unwrap());
    let last = filter(r#"{"a":2}"#).matches(Some(r#"{"a":1,"a":2}"#)).unwrap();
    assert!(last, "of two members with one key the last counts");
    for damaged in ["", "[]", "1", "{", r#"{"a"}"#, r#"{"a":1"#, r#"{"a":1}}"#, r#"{"a":x}"#, r#"{"a":"\q"}"#] {
        assert_eq!(filter(r#"{"a":1}"#).matches(Some(damaged)).unwrap_err().kind, Kind::Corrupt, "{damaged}");
    }
}

/// Every prefix and every flipped bit of an entry: an answer or an error, never a panic.
#[test]
fn no_damage_is_a_panic() {
    let all = r#"{"tags":["x","a"],"nested":{"k":"a","q":{"r":{"$lt":3}}},"num":{"$in":[1]},
        "half":{"$gt":"a"},"id":{"$ne":1}}"#;
    let filter = Filter::parse(all).unwrap();
    for at in 0..ENTRY.len() {
        let _ = ENTRY.get(..at).map(|text| filter.matches(Some(text)));
        for bit in 0..8 {
            let mut bytes = ENTRY.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let _ = std::str::from_utf8(&bytes).map(|text| filter.matches(Some(text)));
            let _ = std::str::from_utf8(&bytes).map(Filter::parse);
        }
    }
}

/// Random values against each other: equality is that of `serde_json`, whose numbers here are all small.
#[test]
fn equality_agrees_with_a_model() {
    let mut seed = 11_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    fn value(random: &mut impl FnMut(u64) -> u64, depth: u32) -> Value {
        match random(if depth == 0 { 4 } else { 6 }) {
            0 => json!(random(2)),
            1 => json!(["a", "é\"", ""][random(3) as usize]),
            2 => json!(random(2) == 0),
            3 => Value::Null,
            4 => (0..random(3)).map(|_| value(random, depth - 1)).collect(),
            _ => (0..random(3)).map(|key| (format!("k{key}"), value(random, depth - 1))).collect(),
        }
    }
    let mut equal = 0;
    for _ in 0..40_000 {
        let (a, b) = (value(&mut random, 2), value(&mut random, 2));
        let filter = Filter::parse(&json!({ "v": a }).to_string()).unwrap();
        let found = filter.matches(Some(&json!({ "u": 1, "v": b }).to_string())).unwrap();
        assert_eq!(found, a == b, "{a} {b}");
        equal += u32::from(found);
        let one_of = Filter::parse(&json!({ "v": { "$in": [a, 7, "z"] } }).to_string()).unwrap();
        assert_eq!(one_of.matches(Some(&json!({ "v": b }).to_string())).unwrap(), a == b, "{a} {b}");
    }
    assert!(equal > 1_000);
}
