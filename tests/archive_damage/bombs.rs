//! Archives that claim, or unfold to, more than any archive is: refused within about a second and without the memory
//! they ask for.
//!
//! They are read in a process of their own, one after another, so that the peak of its memory is that of one of them.

use super::{compressed, entry, read, written};
use ruvector_persistence::archive::Format;
use ruvector_persistence::codec::Compression;
use ruvector_persistence::error::Kind;
use std::io::Read;
use std::time::{Duration, Instant};

/// The limits bound what one value may hold (35 MB for an entry as text); a few copies of that, and nothing that grows
/// with what a file claims.
const MEMORY_BYTES_MAX: u64 = 160 << 20;
/// An optimized build needs a tenth.
const TIME_MAX: Duration = Duration::from_secs(if cfg!(debug_assertions) { 6 } else { 1 });
const CHILD: &str = "RUVECTOR_PERSISTENCE_BOMBS";

const JSON_HEAD: &str = r#"{"version":"1.0.0","vectors":["#;
const JSON_METADATA: &str = r#"{"version":"1.0.0","vectors":[{"id":"a","vector":[1],"metadata":"#;

struct Case {
    name: String,
    bytes: Vec<u8>,
    /// `None`: it is a good archive.
    due: Option<Kind>,
}

/// `head`, then `mib` MiB of one byte.
fn unfolding(head: &str, byte: u8, mib: usize, compression: Compression) -> Vec<u8> {
    let mut bytes = head.as_bytes().to_vec();
    bytes.resize(head.len() + (mib << 20), byte);
    compressed(&bytes, compression)
}

/// `depth` values in each other, well-formed.
fn nested(before: &str, open: &str, depth: usize, close: &str, after: &str) -> Vec<u8> {
    format!("{before}{}1{}{after}", open.repeat(depth), close.repeat(depth)).into_bytes()
}

/// A MessagePack state whose second member is `name` with these bytes.
fn binary(name: &str, value: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x82\xa7version\xa51.0.0".to_vec();
    bytes.push(0xa0 | u8::try_from(name.len()).unwrap());
    [&bytes, name.as_bytes(), value].concat()
}

/// A MessagePack state with one entry: `{ id: 'a', vector: [1], <name>: <value> }`.
fn binary_entry(name: &str, value: &[u8]) -> Vec<u8> {
    let mut entry = b"\x91\x83\xa2id\xa1a\xa6vector\x91\x01".to_vec();
    entry.push(0xa0 | u8::try_from(name.len()).unwrap());
    binary("vectors", &[&entry, name.as_bytes(), value].concat())
}

fn zstd_frame(descriptor: u8, rest: &[u8]) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, descriptor][..], rest].concat()
}

/// A zstd frame of `text` in one raw block, with these header bytes.
fn zstd_raw(descriptor: u8, header: &[u8], text: &[u8]) -> Vec<u8> {
    let block = (u32::try_from(text.len()).unwrap() << 3 | 1).to_le_bytes();
    zstd_frame(descriptor, &[header, &block[..3], text].concat())
}

fn compressed_bombs() -> Vec<(String, Vec<u8>, Option<Kind>)> {
    let mut cases = Vec::new();
    for compression in [Compression::Gzip, Compression::Brotli, Compression::Zstd] {
        let mut add = |what: &str, head: &str, byte: u8, mib: usize, due: Kind| {
            let name = format!("{}: {mib} MiB {what}", compression.name());
            cases.push((name, unfolding(head, byte, mib, compression), Some(due)));
        };
        add("of zeros", "", 0, 16, Kind::Format);
        add("of spaces before the state", "", b' ', 4, Kind::Format);
        add("of spaces between members", r#"{"version":"1.0.0","#, b' ', 4, Kind::Limit);
        add("of spaces inside a value", r#"{"version":"1.0.0","options":{"#, b' ', 4, Kind::Limit);
        add("of newlines inside an entry", &format!("{JSON_HEAD}{{"), b'\n', 4, Kind::Limit);
        add("of version", "{\"version\":\"", b'1', 4, Kind::Limit);
        add("of a member's name", "{\"", b'x', 4, Kind::Limit);
        add("of a member that is not known", "{\"indexState\":\"", b'x', 4, Kind::Limit);
        add("of id", &format!("{JSON_HEAD}{{\"id\":\""), b'x', 40, Kind::Limit);
        add("of brackets", &format!("{JSON_HEAD}{{\"id\":\"a\",\"vector\":"), b'[', 4, Kind::Limit);
        let again = compressed(&unfolding("", 0, 16, compression), compression);
        cases.push((format!("{} twice", compression.name()), again, Some(Kind::Format)));
    }
    cases
}

fn zstd_frames() -> Vec<(String, Vec<u8>, Option<Kind>)> {
    let good = written(vec![entry("a", &[1.0], None)], Format::Json, Compression::None);
    let length = u8::try_from(good.len() - 256).unwrap();
    let sized = |size: u64| zstd_raw(0b1110_0000, &size.to_le_bytes(), &good);
    vec![
        ("a window of 2 GiB".into(), zstd_raw(0, &[21 << 3], &good), Some(Kind::Limit)),
        ("a window of 3.75 TiB".into(), zstd_raw(0, &[0xff], &good), Some(Kind::Limit)),
        ("a window of 256 MiB".into(), zstd_raw(0, &[18 << 3], &good), Some(Kind::Limit)),
        ("a window of 128 MiB".into(), zstd_raw(0, &[17 << 3], &good), None),
        ("no content size".into(), zstd_raw(0, &[10 << 3], &good), None),
        ("its content size".into(), zstd_raw(0b0110_0000, &[length, 0], &good), None),
        ("a content size of 1 TiB".into(), sized(1 << 40), Some(Kind::Limit)),
        ("a content size that is too small".into(), zstd_raw(0b0110_0000, &[length - 1, 0], &good), Some(Kind::Format)),
        ("a dictionary".into(), zstd_raw(1, &[10 << 3, 7], &good), Some(Kind::Format)),
        ("the reserved bit".into(), zstd_raw(8, &[10 << 3], &good), Some(Kind::Format)),
        ("a checksum that is missing".into(), zstd_raw(4, &[10 << 3], &good), Some(Kind::Format)),
        ("only its magic number".into(), zstd_frame(0, &[])[..4].to_vec(), Some(Kind::Format)),
        ("a large brotli window".into(), vec![0x11, 0x3e, 0x0f, 0xff, 0xff], Some(Kind::Format)),
    ]
}

fn deep_json() -> Vec<(String, Vec<u8>, Option<Kind>)> {
    let mut cases = vec![("brackets only".to_owned(), b"[".repeat(100_000), Some(Kind::Format))];
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for depth in [200, 100_000, 1_000_000] {
            let metadata = nested(&format!("{JSON_METADATA}{{\"a\":"), open, depth, close, "}}]}");
            cases.push((format!("metadata with {depth} x {open}"), metadata, Some(Kind::Limit)));
            let member = nested("{\"version\":\"1.0.0\",\"more\":", open, depth, close, ",\"vectors\":[]}");
            cases.push((format!("a member with {depth} x {open}"), member, Some(Kind::Limit)));
        }
    }
    let metadata = |depth| nested(JSON_METADATA, "{\"a\":", depth, "}", "}]}");
    let good = super::signed(&String::from_utf8(metadata(128)).unwrap());
    cases.push(("metadata of 128 levels".into(), good.into_bytes(), None));
    cases.push(("metadata of 129 levels".into(), metadata(129), Some(Kind::Limit)));
    cases
}

fn claims() -> Vec<(String, Vec<u8>, Option<Kind>)> {
    let four_billion = |marker: u8| [&[marker, 0xff, 0xff, 0xff, 0xff][..], &[0xc0; 100]].concat();
    let case = |what: &str, bytes: Vec<u8>, kind| (what.to_owned(), bytes, Some(kind));
    let mut many = b"\xdf\x00\x03\x0d\x40".to_vec();
    (0..200_000).for_each(|n| many.extend([&[0xa6][..], format!("{n:06}").as_bytes(), &[0xc0]].concat()));
    let deep = |open: &[u8]| [open.repeat(1_000_000), vec![0xc0]].concat();
    vec![
        case("array32 of entries", binary("vectors", &four_billion(0xdd)), Kind::Format),
        case("map32 as the state", [&four_billion(0xdf)[..5], b"\xa7version\xa51.0.0"].concat(), Kind::Format),
        case("200,000 members", many, Kind::Format),
        case("str32 as the version", [&b"\x81\xa7version"[..], &four_billion(0xdb)].concat(), Kind::Limit),
        case("str32 as a name", [&b"\x81"[..], &four_billion(0xdb)].concat(), Kind::Limit),
        case("map32 as an entry", binary("vectors", &[&[0x91][..], &four_billion(0xdf)].concat()), Kind::Format),
        case("str32 as an id", binary("vectors", &[b"\x91\x81\xa2id", &four_billion(0xdb)[..]].concat()), Kind::Limit),
        case(
            "bin32 as a vector",
            binary("vectors", &[b"\x91\x81\xa6vector", &four_billion(0xc6)[..]].concat()),
            Kind::Dimension,
        ),
        case(
            "array32 as a vector",
            binary("vectors", &[b"\x91\x81\xa6vector", &four_billion(0xdd)[..]].concat()),
            Kind::Dimension,
        ),
        case("str32 as metadata", binary_entry("metadata", &four_billion(0xdb)), Kind::Limit),
        case("map32 as metadata", binary_entry("metadata", &four_billion(0xdf)), Kind::Limit),
        case(
            "array32 in metadata",
            binary_entry("metadata", &[b"\x81\xa1a", &four_billion(0xdd)[..]].concat()),
            Kind::Limit,
        ),
        case("bin32 in an unknown member", binary("more", &four_billion(0xc6)), Kind::Format),
        case("ext32 in an unknown member", binary("more", &four_billion(0xc9)), Kind::Format),
        case(
            "metadata of a million arrays",
            binary_entry("metadata", &[&b"\x81\xa1a"[..], &deep(b"\x91")].concat()),
            Kind::Limit,
        ),
        case("metadata of a million maps", binary_entry("metadata", &deep(b"\x81\xa1a")), Kind::Limit),
        case("a member of a million arrays", binary("more", &deep(b"\x91")), Kind::Limit),
        case(
            "a dimension of 2^63",
            br#"{"version":"1.0.0","options":{"dimension":9223372036854775808},"vectors":[]}"#.to_vec(),
            Kind::Dimension,
        ),
        case(
            "a count of 2^64 - 1, signed",
            super::signed(r#"{"version":"1.0.0","stats":{"count":18446744073709551615},"vectors":[]}"#).into_bytes(),
            Kind::Corrupt,
        ),
    ]
}

/// A field of `/proc/self/status` in bytes; 0 where there is none.
fn memory(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Makes the peak of memory the memory of now, where the system can do that.
fn forget_the_peak() {
    #[expect(clippy::disallowed_methods, reason = "no file of ours: a switch of the kernel")]
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn try_case(case: &Case) {
    forget_the_peak();
    let (before, began) = (memory("VmRSS"), Instant::now());
    for verify in [true, false] {
        match (read(&case.bytes, verify), case.due) {
            (Ok(_), None) => {}
            (Ok(_), Some(Kind::Corrupt)) if !verify => {}
            // What is said only at the end of the file comes after the checksum.
            (Err(error), Some(_)) if verify && error.kind == Kind::Checksum => {}
            (Err(error), Some(due)) => assert_eq!(error.kind, due, "{}: {error}", case.name),
            (Ok(_), Some(due)) => panic!("{}: read, where {due:?} is due", case.name),
            (Err(error), None) => panic!("{}: {error}", case.name),
        }
    }
    let (took, grew) = (began.elapsed() / 2, memory("VmHWM").saturating_sub(before));
    println!("{:>6} ms {:>4} MiB  {} ({} bytes)", took.as_millis(), grew >> 20, case.name, case.bytes.len());
    assert!(took < TIME_MAX, "{}: took {took:?}", case.name);
    assert!(grew < MEMORY_BYTES_MAX, "{}: took {grew} bytes of memory", case.name);
}

#[test]
fn bombs_and_false_claims_are_refused_in_little_time_and_memory() {
    if std::env::var_os(CHILD).is_none() {
        let name = "bombs::bombs_and_false_claims_are_refused_in_little_time_and_memory";
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let out = child.args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let cases = [compressed_bombs(), zstd_frames(), deep_json(), claims()].concat();
    assert!(cases.len() > 80, "{} cases", cases.len());
    for (name, bytes, due) in cases {
        try_case(&Case { name, bytes, due });
    }
}

#[test]
fn a_brotli_bomb_of_256_mib_is_refused_at_once() {
    let mut bomb = Vec::new();
    let mut zeros = std::io::repeat(0).take(256 << 20);
    let params = brotli::enc::BrotliEncoderParams { quality: 3, lgwin: 24, ..Default::default() };
    brotli::BrotliCompress(&mut zeros, &mut bomb, &params).unwrap();
    assert!(bomb.len() < 4_096, "{} bytes", bomb.len());
    let began = Instant::now();
    assert_eq!(read(&bomb, true).unwrap_err().kind, Kind::Format);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
