//! The hex examples of `docs/format.md` as the store that they make up, and the way back.

use std::fs;
use std::path::{Path, PathBuf};

/// The name of the collection of the page.
pub const NAME: &str = "default";

const HEADER_BYTES: usize = 64;
const CHECKSUM_BYTES: usize = 4;

/// The files that the page shows as one block of hex each.
const FILES: [(&str, &str); 4] = [
    ("store", "STORE"),
    ("log", "collections/default/wal/00000000000000000002.wal"),
    ("segment", "collections/default/segments/00000001.seg"),
    ("dead", "collections/default/segments/00000001.dead.4"),
];

/// Those that it shows in three: header, text, checksum.
const DOCUMENTS: [(&str, &str); 2] =
    [("manifest", "collections/default/MANIFEST"), ("snapshot", "snapshots/snap-2023-11-14-221320/SNAPSHOT")];

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md")
}

/// The page before, in and after the one fenced block of that language and name.
fn parts<'a>(page: &'a str, fence: &str) -> [&'a str; 3] {
    let open = format!("\n```{fence}\n");
    assert_eq!(page.matches(&open).count(), 1, "{fence}");
    let (before, rest) = page.split_at(page.find(&open).unwrap() + open.len());
    let (block, after) = rest.split_at(rest.find("\n```").unwrap());
    [before, block, after]
}

/// The bytes of a block of hex digits; what follows `;` is a comment.
fn bytes_of(page: &str, name: &str) -> Vec<u8> {
    let block = parts(page, &format!("hex {name}"))[1];
    let digits: String = block.lines().flat_map(|line| line.split(';').next().unwrap().split_whitespace()).collect();
    digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The bytes of a file that the page shows in three blocks.
pub fn document(name: &str) -> Vec<u8> {
    let page = fs::read_to_string(path()).unwrap();
    // The line breaks and what indents the lines are the page's, not the file's.
    let text: String = parts(&page, &format!("json {name}"))[1].lines().map(str::trim_start).collect();
    [bytes_of(&page, &format!("{name}-header")), text.into_bytes(), bytes_of(&page, &format!("{name}-checksum"))]
        .concat()
}

/// Writes the files of the page into an empty folder. `SNAPSHOT` is not among them: what it names is not on the page.
pub fn write_store(base: &Path) {
    let page = fs::read_to_string(path()).unwrap();
    fs::create_dir_all(base.join("collections/default/segments")).unwrap();
    fs::create_dir(base.join("collections/default/wal")).unwrap();
    for (name, file) in FILES {
        fs::write(base.join(file), bytes_of(&page, name)).unwrap();
    }
    let (name, file) = DOCUMENTS[0];
    fs::write(base.join(file), document(name)).unwrap();
}

/// The block with other bytes, as many as it has, in the same lines and with the same comments.
fn with_bytes(block: &str, bytes: &[u8]) -> String {
    let mut bytes = bytes.iter();
    let mut line_of = |line: &str| {
        let (digits, comment) = line.split_at(line.find(';').unwrap_or(line.len()));
        let mut digits = digits.to_owned();
        let mut at = 0;
        while at < digits.len() {
            if digits.as_bytes()[at].is_ascii_hexdigit() {
                let byte = bytes.next().expect("the new file is as long as the old one");
                digits.replace_range(at..at + 2, &format!("{byte:02x}"));
                at += 1;
            }
            at += 1;
        }
        digits + comment
    };
    let lines: Vec<String> = block.lines().map(&mut line_of).collect();
    assert_eq!(bytes.next(), None, "the new file is as long as the old one");
    lines.join("\n")
}

/// Another JSON text in lines that begin with the same members.
fn with_text(block: &str, text: &str) -> String {
    let mut rest = text;
    let mut lines = Vec::new();
    for line in block.lines().rev() {
        let begins = line.trim_start().split_inclusive(':').next().unwrap();
        let at = rest.rfind(begins).expect("the members are those of the old text");
        let indent = &line[..line.len() - line.trim_start().len()];
        lines.push(format!("{indent}{}", &rest[at..]));
        rest = &rest[..at];
    }
    assert_eq!(rest, "");
    lines.reverse();
    lines.join("\n")
}

/// Puts the bytes of a store of the same shape into the examples.
pub fn write_examples(base: &Path) {
    let mut page = fs::read_to_string(path()).unwrap();
    let mut put = |fence: &str, change: &dyn Fn(&str) -> String| {
        let [before, block, after] = parts(&page, fence);
        page = format!("{before}{}{after}", change(block));
    };
    for (name, file) in FILES {
        let bytes = fs::read(base.join(file)).unwrap();
        put(&format!("hex {name}"), &|block| with_bytes(block, &bytes));
    }
    for (name, file) in DOCUMENTS {
        let bytes = fs::read(base.join(file)).unwrap();
        let (header, rest) = bytes.split_at(HEADER_BYTES);
        let (text, checksum) = rest.split_at(rest.len() - CHECKSUM_BYTES);
        put(&format!("hex {name}-header"), &|block| with_bytes(block, header));
        put(&format!("json {name}"), &|block| with_text(block, str::from_utf8(text).unwrap()));
        put(&format!("hex {name}-checksum"), &|block| with_bytes(block, checksum));
    }
    fs::write(path(), page).unwrap();
}
