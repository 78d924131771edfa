//! The house rules that no linter knows, checked over the source tree: headers, lengths, ranks, bare `matches!`,
//! `unsafe`, and the one file that may meet the native addon.
//!
//! A failure lists every offence as `file:line: what is wrong`. Each rule is a function of a file's text, and for each
//! there is a test that it notices an offence, so that a rule that stopped working cannot pass unseen. Limits only
//! tighten. Links in the documents are checked by `scripts/docs.mjs`.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their ranks, as the table in `src/lib.rs` shows them. A module may use only those of lower rank.
const RANKS: [(&str, u8); 21] = [
    ("error", 0),
    ("limits", 0),
    ("sync", 0),
    ("failpoint", 0),
    ("control", 0),
    ("workers", 0),
    ("env", 1),
    ("codec", 1),
    ("format", 2),
    ("wal", 3),
    ("segment", 3),
    ("lsm", 3),
    ("manifest", 3),
    ("archive", 3),
    ("foreign", 3),
    ("search", 3),
    ("store", 4),
    ("ops", 5),
    ("cli", 6),
    ("mcp", 6),
    ("node", 6),
];

/// What every module of rank 0 may use as well: failures, maxima and locks have no dependencies of their own.
const GROUND: [&str; 3] = ["error", "limits", "sync"];

/// The only files that may hold `unsafe`, each with its reason.
const UNSAFE_FILES: [(&str, &str); 3] = [
    ("src/env/fs/map.rs", "mappings and three questions to the operating system have no safe form in std"),
    ("src/node/read.rs", "napi has no safe way to fill a buffer that JavaScript made"),
    ("src/archive/sqlite/failure.rs", "the errno of a failed call of SQLite has no safe form in rusqlite"),
];

const RUST_LINES_MAX: usize = 500;
const TYPESCRIPT_LINES_MAX: usize = 250;

/// One file of the tree: its path with forward slashes, relative to the root, and its text.
struct Source {
    path: String,
    text: String,
}

/// An offence: line (from 1) and what is wrong.
type Offence = (usize, String);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with the given extension, in a stable order. A missing folder holds nothing.
fn sources(folder: &str, extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(place) = waiting.pop() {
        for entry in fs::read_dir(&place).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "node_modules") {
                    waiting.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let short = path.strip_prefix(root()).ok()?.to_string_lossy().replace('\\', "/");
            Some(Source { path: short, text })
        })
        .collect()
}

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"].into_iter().flat_map(|folder| sources(folder, "rs")).collect()
}

/// The files that `rule` finds fault with, as lines for a person; empty when all is well.
fn offences(files: &[Source], rule: impl Fn(&Source) -> Vec<Offence>) -> String {
    let mut lines = Vec::new();
    for file in files {
        for (line, what) in rule(file) {
            lines.push(format!("{}:{line}: {what}", file.path));
        }
    }
    lines.join("\n")
}

/// Whether the code so far ends with `r`, `br` or the same with hashes, so that the next quote opens a raw string.
fn opens_raw_string(code: &str) -> bool {
    let before = code.trim_end_matches('#');
    let Some(head) = before.strip_suffix('r') else { return false };
    let head = head.strip_suffix(['b', 'c']).unwrap_or(head);
    !head.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The text with comments and the contents of string literals blanked, so that only code is judged. Line breaks stay.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => {
                while rest.peek().is_some_and(|next| *next != '\n') {
                    rest.next();
                }
            }
            '"' if opens_raw_string(&code) => {
                let hashes = code.chars().rev().take_while(|c| *c == '#').count();
                code.push('"');
                let mut seen: Option<usize> = None;
                for inner in rest.by_ref() {
                    seen = match inner {
                        '"' => Some(0),
                        '#' => seen.map(|count| count + 1),
                        _ => None,
                    };
                    code.extend(Some(inner).filter(|c| *c == '\n'));
                    if seen == Some(hashes) {
                        break;
                    }
                }
                code.push('"');
            }
            '"' => {
                code.push('"');
                while let Some(inner) = rest.next() {
                    match inner {
                        '\\' => code.extend(rest.next().filter(|escaped| *escaped == '\n')),
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
                code.push('"');
            }
            // A quote or backslash as a character literal would otherwise open a string that never ends.
            '\'' => {
                let mut ahead = rest.clone();
                let literal = match (ahead.next(), ahead.next(), ahead.next()) {
                    (Some('\\'), Some(_), Some('\'')) => 3,
                    (Some(_), Some('\''), _) => 2,
                    _ => 0,
                };
                rest.by_ref().take(literal).for_each(drop);
                code.push(if literal == 0 { '\'' } else { ' ' });
            }
            _ => code.push(c),
        }
    }
    code
}

/// The part of a file before its own test module: tests may import what they like and do not count as length.
fn without_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests").map_or(text, |(before, _)| before)
}

/// The 1-based line of a byte position.
fn line_at(text: &str, position: usize) -> usize {
    text.get(..position).map_or(1, |before| before.matches('\n').count() + 1)
}

fn rust_header(file: &Source) -> Vec<Offence> {
    let opens = file.text.starts_with("//! ") && file.text.lines().next().is_some_and(|line| line.len() > 10);
    if opens { vec![] } else { vec![(1, "does not open with a `//!` header".into())] }
}

fn typescript_header(file: &Source) -> Vec<Offence> {
    let text = file.text.strip_prefix("'use strict'\n").unwrap_or(&file.text);
    let opens = text.starts_with("//") || text.starts_with("/*");
    if opens { vec![] } else { vec![(1, "does not open with a comment that says what it is".into())] }
}

fn length(file: &Source, lines_max: usize) -> Vec<Offence> {
    let lines = without_tests(&file.text).lines().count();
    if lines <= lines_max { vec![] } else { vec![(lines, format!("{lines} lines; the limit is {lines_max}"))] }
}

fn rank_of(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

/// The module at the top of the tree that a file of `src/` belongs to; None for `lib.rs` and `main.rs`.
fn module_of(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let name = inner.split_once('/').map_or_else(|| inner.strip_suffix(".rs"), |(folder, _)| Some(folder))?;
    (name != "lib" && name != "main").then_some(name)
}

/// The names that follow `crate::`, with those of a group `crate::{a, b::c}` taken apart.
fn crate_paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (position, matched) in code.match_indices("crate::") {
        let after = code.get(position + matched.len()..).unwrap_or_default();
        let mut names = vec![after];
        if let Some(group) = after.strip_prefix('{') {
            names.clear();
            let mut depth = 0_u32;
            let mut start = 0;
            for (at, c) in group.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    '}' | ',' if depth == 0 => {
                        names.extend(group.get(start..at));
                        start = at + 1;
                        if c == '}' {
                            break;
                        }
                    }
                    _ => {}
                }
            }
        }
        for name in names {
            let name: String = name.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                found.push((line_at(code, position), name));
            }
        }
    }
    found
}

fn ranks(file: &Source) -> Vec<Offence> {
    let Some(module) = module_of(&file.path) else { return vec![] };
    let Some(rank) = rank_of(module) else {
        return vec![(
            1,
            format!("module `{module}` has no rank: add it to the tables of src/lib.rs and tests/tidy.rs"),
        )];
    };
    if file.path.ends_with("/tests.rs") {
        return vec![];
    }
    let code = code_only(without_tests(&file.text));
    let allowed = |name: &str| match rank_of(name) {
        _ if name == module => true,
        Some(other) => other < rank || (rank == 0 && GROUND.contains(&name)),
        // A lower-case name without a rank is an unknown module; anything else is an item that lib.rs re-exports.
        None => false,
    };
    crate_paths(&code)
        .into_iter()
        .filter(|(_, name)| !allowed(name))
        .map(|(line, name)| (line, format!("`{module}` (rank {rank}) may not use `crate::{name}`")))
        .collect()
}

/// `matches!(..);` as a statement tests nothing: it is always green.
fn bare_matches(file: &Source) -> Vec<Offence> {
    let code = code_only(&file.text);
    let mut found = Vec::new();
    for (position, matched) in code.match_indices("matches!(") {
        let before = code.get(..position).unwrap_or_default().trim_end();
        if !(before.is_empty() || before.ends_with([';', '{', '}'])) {
            continue;
        }
        let mut depth = 1_u32;
        let after = code.get(position + matched.len()..).unwrap_or_default();
        let end = after.char_indices().find(|(_, c)| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        let next = end.and_then(|(at, _)| after.get(at + 1..)).map_or("", str::trim_start);
        if next.starts_with(';') {
            found.push((
                line_at(&code, position),
                "a bare `matches!` checks nothing: use `assert!(matches!(..))`".into(),
            ));
        }
    }
    found
}

/// `unsafe` only where it is expected, and each with a `SAFETY:` comment right above it.
fn unsafe_code(file: &Source, allowed: &[(&str, &str)]) -> Vec<Offence> {
    let code = code_only(&file.text);
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (position, line) in code.lines().enumerate() {
        let used = line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
        if !used || line.trim_start().starts_with("#!") {
            continue;
        }
        if !allowed.iter().any(|(path, _)| *path == file.path) {
            found.push((position + 1, "`unsafe` in a file that is not on the list of tests/tidy.rs".into()));
        }
        let comments = lines.iter().take(position).rev().map(|above| above.trim_start());
        let explained = comments
            .take_while(|above| above.starts_with("//") || above.starts_with("#["))
            .any(|above| above.contains("SAFETY:") || above.contains("# Safety"));
        if !explained {
            found.push((position + 1, "`unsafe` without a `SAFETY:` comment right above it".into()));
        }
    }
    found
}

/// Errors cross the boundary as values; one file turns them into exceptions, so only that file may load the addon.
fn native_import(file: &Source) -> Vec<Offence> {
    if file.path == "lib/native.ts" {
        return vec![];
    }
    // From a file of lib/ the generated loader is one level up, from a folder in it two; lib/native.ts is one nearer.
    let up = "../".repeat(file.path.matches('/').count());
    let quoted = [format!("'{up}native.js'"), format!("\"{up}native.js\""), format!("'{up}native'"), ".node'".into()];
    let loads = |line: &str| {
        let code = line.trim_start();
        !code.starts_with("//") && !code.starts_with('*') && quoted.iter().any(|path| code.contains(path))
    };
    let lines = file.text.lines().enumerate().filter(|(_, line)| loads(line));
    lines.map(|(at, _)| (at + 1, "only lib/native.ts may load the native addon".into())).collect()
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}

#[test]
fn every_file_opens_with_a_header() {
    let rust = offences(&all_rust(), rust_header);
    assert!(rust.is_empty(), "{rust}");
    let folders = ["lib", "__test__", "examples", "benches"];
    let typescript: Vec<Source> = folders.into_iter().flat_map(|folder| sources(folder, "ts")).collect();
    let scripts: Vec<Source> = ["scripts", "examples", "benches"].iter().flat_map(|at| sources(at, "mjs")).collect();
    let others = format!("{}{}", offences(&typescript, typescript_header), offences(&scripts, typescript_header));
    assert!(others.is_empty(), "{others}");
}

#[test]
fn no_file_is_too_long() {
    let rust = offences(&sources("src", "rs"), |file| length(file, RUST_LINES_MAX));
    assert!(rust.is_empty(), "{rust}");
    let typescript = offences(&sources("lib", "ts"), |file| length(file, TYPESCRIPT_LINES_MAX));
    assert!(typescript.is_empty(), "{typescript}");
}

#[test]
fn modules_import_only_from_lower_ranks() {
    let found = offences(&sources("src", "rs"), ranks);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn the_table_in_lib_rs_shows_the_same_ranks() {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for (module, rank) in RANKS {
        let present = root().join(format!("src/{module}.rs")).exists() || root().join("src").join(module).exists();
        let row = map.lines().find(|line| line.starts_with(&format!("//! | {rank} |"))).unwrap_or_default();
        let shown = row.contains(&format!("`{module}`"));
        assert!(shown || !present, "src/lib.rs does not show `{module}` in the row of rank {rank}");
    }
}

#[test]
fn no_statement_is_a_bare_matches() {
    let found = offences(&all_rust(), bare_matches);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn unsafe_stays_in_its_files_and_says_why() {
    let found = offences(&all_rust(), |file| unsafe_code(file, &UNSAFE_FILES));
    assert!(found.is_empty(), "{found}");
    for (path, _) in UNSAFE_FILES {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        assert!(code_only(&text).contains("unsafe"), "{path} holds no `unsafe` any more: take it off the list");
    }
}

#[test]
fn one_file_loads_the_native_addon() {
    let files = sources("lib", "ts");
    assert!(files.iter().any(|file| file.path == "lib/native.ts"), "lib/native.ts is the file that loads native.js");
    let found = offences(&files, native_import);
    assert!(found.is_empty(), "{found}");
}

#[test]
fn missing_headers_and_long_files_are_noticed() {
    assert_eq!(rust_header(&source("src/error.rs", "use std::fs;\n")).len(), 1);
    assert_eq!(rust_header(&source("src/error.rs", "//! x\n")).len(), 1, "one letter is no header");
    assert_eq!(typescript_header(&source("lib/index.ts", "import fs from 'node:fs'\n")).len(), 1);
    let long = source("src/error.rs", &"x\n".repeat(501));
    assert_eq!(length(&long, RUST_LINES_MAX).len(), 1);
    let tested = format!("{}\n#[cfg(test)]\nmod tests {{{}}}", "x\n".repeat(499), "y\n".repeat(99));
    assert!(length(&source("src/error.rs", &tested), RUST_LINES_MAX).is_empty(), "tests are not counted");
}

#[test]
fn imports_upward_and_sideways_are_noticed() {
    let refused = [
        ("src/error.rs", "use crate::env::File;"),
        ("src/codec/mod.rs", "use crate::env;"),
        ("src/archive/json.rs", "use crate::foreign::redb;"),
        ("src/format/mod.rs", "fn f() { crate::store::open() }"),
        ("src/format/mod.rs", "use crate::{error::Error, archive::{json, msgpack}};"),
        ("src/limits.rs", "use crate::control;"),
        ("src/ops/save.rs", "use crate::node::Thing;"),
        ("src/ops/save.rs", "use crate::unknown::Thing;"),
        ("src/surprise.rs", ""),
        ("src/env/mod.rs", "const TEXT: &str = r\"\\\"; const B: char = '\\\\'; use crate::store;"),
    ];
    for (path, code) in refused {
        assert_eq!(ranks(&source(path, code)).len(), 1, "{path}: {code}");
    }
    let accepted = [
        ("src/control.rs", "use crate::error::Error;"),
        ("src/archive/json.rs", "use crate::{archive::Entry, codec::{Brotli, Gzip}, error::Error};"),
        ("src/lib.rs", "use crate::node;"),
        ("src/env/mod.rs", "// as crate::store does\nconst TEXT: &str = \"crate::store\";"),
        ("src/env/mod.rs", "const TEXT: &str = r#\"a \" crate::store \\\"#; const C: char = '\"';"),
        ("src/env/mod.rs", "//! env\n\n#[cfg(test)]\nmod tests { use crate::codec; }"),
    ];
    for (path, code) in accepted {
        assert!(ranks(&source(path, code)).is_empty(), "{path}: {code}");
    }
}

#[test]
fn bare_matches_and_unsafe_are_noticed() {
    let statement = source("tests/x.rs", "fn f() {\n    matches!(found, Some(_) if g(1));\n}");
    assert_eq!(bare_matches(&statement).len(), 1);
    let value = source("src/error.rs", "fn f() -> bool {\n    matches!(g(), Some(_))\n}\nlet a = matches!(1, 1);");
    assert!(bare_matches(&value).is_empty());
    let here = [("src/env/map.rs", "maps files")];
    let plain = source("src/env/map.rs", "fn f() {\n    let a = unsafe { g() };\n}");
    assert_eq!(unsafe_code(&plain, &here).len(), 1, "no comment");
    let said =
        source("src/env/map.rs", "fn f() {\n    // SAFETY: g has no conditions.\n    let a = unsafe { g() };\n}");
    assert!(unsafe_code(&said, &here).is_empty());
    assert_eq!(unsafe_code(&said, &[]).len(), 1, "not on the list");
}

#[test]
fn a_second_file_that_loads_the_addon_is_noticed() {
    assert_eq!(native_import(&source("lib/save.ts", "import { save } from '../native.js'\n")).len(), 1);
    assert_eq!(native_import(&source("lib/adapters/map.ts", "const n = require('../../native.js')\n")).len(), 1);
    assert_eq!(native_import(&source("lib/save.ts", "const n = require('./x.linux-x64-gnu.node')\n")).len(), 1);
    let through = source("lib/operations/save.ts", "import { native } from '../native'\n");
    assert!(native_import(&through).is_empty(), "that is lib/native.ts");
    assert!(native_import(&source("lib/save.ts", "// '../native.js' is not for us\n")).is_empty());
}
