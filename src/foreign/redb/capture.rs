//! A whole commit, taken from a file that its own program may be writing.
//!
//! Redb never writes into a page that one of the two newest commits needs, and reuses it only later. So a walk from
//! the newest root finds each page as it was meant, unless two commits came meanwhile: then a checksum differs. The
//! next round starts from the newer root and fetches only the pages that are new, the subtrees copied before are taken
//! as they are; each round is shorter than the one before, until one fits between two commits.
//!
//! When a checksum differs and the header has not moved, the commit's pages may still be on their way: we wait a
//! little, then try the commit before, as redb does after a crash, and then call the file damaged.

use super::header::{Candidate, HEADER_BYTES, Header, HeaderFault, MAGIC, Root};
use super::node::{Node, Pointer, bytes_at, u32_at, u64_at};
use super::pages::Pages;
use super::rows::{LEVELS_MAX, Rows};
use crate::env::Input;
use crate::error::{Error, Kind, Result};
use crate::limits::METADATA_BYTES_MAX;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

/// Room for a few rows of the longest metadata; redb splits pages long before.
const PAGE_BYTES_MAX: u64 = 4 * METADATA_BYTES_MAX as u64;
/// A branch holds keys only, and one for each level is in memory at a time.
const BRANCH_BYTES_MAX: u64 = 1 << 20;
/// Rounds that a file may outrun us. A round without news takes less time than a commit, so this is never reached
/// unless the writer does nothing but write.
const ROUNDS_MAX: usize = 200;
/// Waits for a commit whose header came before its pages. Nobody was told of it yet, so the one before is as good.
const PAUSES_MS: [u64; 2] = [1, 5];
/// Pages between two calls of `watch`.
const WATCH_PAGES: u64 = 256;

/// Told the rows copied and the rows in all, now and then; its error ends the call.
pub(in crate::foreign) type Watch<'a> = &'a mut dyn FnMut(u64, u64) -> Result<()>;

/// Tables of one commit.
pub(in crate::foreign) struct Snapshot {
    pages: Pages,
    tables: Vec<Table>,
    /// Whether the file tells of a newer commit that is not whole.
    pub stale: bool,
}

/// A table's definition.
struct Table {
    name: String,
    root: Option<Root>,
    types: [String; 2],
}

impl Snapshot {
    /// The rows of a table and how many they are; `None` when there is no such table with these types of key and value.
    pub fn table<'a>(&'a self, name: &'a str, types: [&str; 2]) -> Option<(Rows<'a>, u64)> {
        let table = self.tables.iter().find(|table| table.name == name && table.types == types)?;
        Some((Rows::of(&self.pages, name, table.root), table.root.map_or(0, |root| root.rows)))
    }
}

/// Why a round ended early.
enum Stop {
    /// A page is not what its parent expects: damage, or a newer commit took its place.
    Torn(String),
    Failed(Error),
}

type Step<T> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Failed(error)
    }
}

/// Copies the tables of these names as one commit has them. A table that is not there is left out.
pub(in crate::foreign) fn capture(input: Input, names: &[&str], watch: Watch<'_>) -> Result<Snapshot> {
    let pages = Pages::beside(&input.path)?;
    let mut round = Round { input, pages, names, watch, fetched: 0, rows: 0, rows_total: 0 };
    let (mut moved, mut still) = (0, 0);
    loop {
        let header = round.header()?;
        let why = match round.run(&header, still > PAUSES_MS.len()) {
            Ok((tables, stale)) => return Ok(Snapshot { pages: round.pages, tables, stale }),
            Err(Stop::Failed(error)) => return Err(error),
            Err(Stop::Torn(why)) => why,
        };
        (round.watch)(round.rows, round.rows_total)?;
        if round.header()? != header {
            (moved, still) = (moved + 1, 0);
            if moved == ROUNDS_MAX {
                let message = format!("it is written faster than it can be read ({why}); try again while it rests");
                return Err(Error::new(Kind::Io, message));
            }
            continue;
        }
        match PAUSES_MS.get(still) {
            Some(pause) => std::thread::sleep(Duration::from_millis(*pause)),
            None if still > PAUSES_MS.len() => return Err(Error::new(Kind::Corrupt, format!("damaged: {why}"))),
            None => {}
        }
        still += 1;
    }
}

struct Round<'a> {
    input: Input,
    pages: Pages,
    names: &'a [&'a str],
    watch: Watch<'a>,
    fetched: u64,
    rows: u64,
    rows_total: u64,
}

impl Round<'_> {
    /// The header's bytes as they are now; zeros where the file is too short for one.
    fn header(&mut self) -> Result<[u8; HEADER_BYTES]> {
        let mut bytes = Vec::new();
        let read = self.input.seek(SeekFrom::Start(0));
        read.and_then(|_| self.input.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut bytes))
            .map_err(|source| Error::io(source, "read", &self.input.path))?;
        bytes.resize(HEADER_BYTES, 0);
        bytes_at(&bytes, 0).ok_or_else(|| Error::new(Kind::Internal, "a header has the wrong length"))
    }

    /// The tables of the newest commit; with `older`, of the one before when the newest is not whole.
    fn run(&mut self, bytes: &[u8; HEADER_BYTES], older: bool) -> Step<(Vec<Table>, bool)> {
        let header = Header::decode(bytes).map_err(|fault| match fault {
            HeaderFault::Foreign(why) => Stop::Failed(Error::new(Kind::Format, format!("not a ruvector.db: {why}"))),
            HeaderFault::Newer(version) => {
                let message = format!("a redb file of format {version}; this build reads 2 and 3");
                Stop::Failed(Error::new(Kind::Version, message))
            }
            HeaderFault::Damaged(why) => Stop::Torn(why),
        })?;
        let mut first = None;
        for candidate in header.candidates().iter().take(if older { 2 } else { 1 }) {
            match self.commit(&header, candidate) {
                Ok(tables) => return Ok((tables, candidate.stale)),
                Err(Stop::Torn(why)) => first = first.or(Some(why)),
                Err(failed) => return Err(failed),
            }
        }
        Err(Stop::Torn(first.unwrap_or_else(|| "it has no commit".into())))
    }

    fn commit(&mut self, header: &Header, candidate: &Candidate) -> Step<Vec<Table>> {
        let Some(root) = candidate.slot.tables else { return Ok(Vec::new()) };
        self.keep(header, "", root.pointer, 0)?;
        self.pages.flush()?;
        let mut tables = Vec::new();
        let mut definitions = Rows::of(&self.pages, "", Some(root));
        while definitions.advance()? {
            let Some((name, definition)) = definitions.current() else { break };
            if let Some(name) = self.names.iter().find(|wanted| wanted.as_bytes() == name) {
                tables.push(Table::decode(name, definition)?);
            }
        }
        (self.rows, self.rows_total) = (0, tables.iter().fold(0, Table::add_rows));
        for table in &tables {
            if let Some(root) = table.root {
                self.keep(header, &table.name, root.pointer, 0)?;
            }
        }
        self.pages.flush()?;
        Ok(tables)
    }

    /// Copies a page after all that is below it: a page that is held is held with everything it leads to.
    fn keep(&mut self, header: &Header, table: &str, pointer: Pointer, level: usize) -> Step<()> {
        if self.pages.hold(pointer) {
            return Ok(());
        }
        if level > LEVELS_MAX {
            return Err(Stop::Torn(format!("table '{table}' is too deep")));
        }
        let node = self.fetch(header, table, pointer)?;
        if node.is_leaf() {
            self.rows += node.len() as u64;
        } else {
            for n in 0..node.len() {
                let child = node.child(n).ok_or_else(|| torn(table, "a page is too short for its children"))?;
                self.keep(header, table, child, level + 1)?;
            }
        }
        Ok(self.pages.keep(pointer, &node)?)
    }

    fn fetch(&mut self, header: &Header, table: &str, pointer: Pointer) -> Step<Node> {
        self.fetched += 1;
        if self.fetched.is_multiple_of(WATCH_PAGES) {
            (self.watch)(self.rows, self.rows_total)?;
        }
        let size = self.input.seek(SeekFrom::End(0));
        let size = size.map_err(|source| Error::io(source, "read", &self.input.path))?;
        let place = header.place(pointer).filter(|(offset, length)| offset + length <= size);
        let (offset, length) = place.ok_or_else(|| torn(table, "the file ends before one of its pages"))?;
        within(table, length, PAGE_BYTES_MAX)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        match self.input.seek(SeekFrom::Start(offset)).and_then(|_| self.input.read_exact(&mut bytes)) {
            Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(torn(table, "the file ends before one of its pages"));
            }
            other => other.map_err(|source| Error::io(source, "read", &self.input.path))?,
        }
        let node = Node::verified(bytes, pointer.checksum)
            .ok_or_else(|| torn(table, &format!("the page at byte {offset} does not have its checksum")))?;
        within(table, length, if node.is_leaf() { PAGE_BYTES_MAX } else { BRANCH_BYTES_MAX })?;
        Ok(node)
    }
}

fn within(table: &str, length: u64, bytes_max: u64) -> Step<()> {
    if length <= bytes_max {
        return Ok(());
    }
    let message = format!("table '{table}' has a page of {length} bytes; at most {bytes_max} are possible");
    Err(Stop::Failed(Error::new(Kind::Limit, message)))
}

fn torn(table: &str, what: &str) -> Stop {
    Stop::Torn(if table.is_empty() { format!("list of tables: {what}") } else { format!("table '{table}': {what}") })
}

impl Table {
    fn add_rows(sum: u64, table: &Table) -> u64 {
        sum.saturating_add(table.root.map_or(0, |root| root.rows))
    }

    /// Kind (3: one value for a key), rows, root, fixed sizes of key and value, their alignments, their types.
    fn decode(name: &str, bytes: &[u8]) -> Result<Self> {
        let decoded = (|| {
            let [kind] = bytes_at(bytes, 0)?;
            let rows = u64_at(bytes, 1)?;
            let [has_root] = bytes_at(bytes, 9)?;
            let root = if has_root == 0 { None } else { Some(Root::decode(bytes, 10)?) };
            let ([key_fixed], [value_fixed]) = (bytes_at(bytes, 42)?, bytes_at(bytes, 47)?);
            let key_end = 64_usize.checked_add(usize::try_from(u32_at(bytes, 60)?).ok()?)?;
            let types = [bytes.get(64..key_end)?, bytes.get(key_end..)?];
            let [key, value] = types.map(|of| String::from_utf8_lossy(of.get(1..).unwrap_or_default()).into_owned());
            let plain = kind == 3 && key_fixed == 0 && value_fixed == 0;
            Some((plain, rows, Table { name: name.to_owned(), root, types: [key, value] }))
        })();
        match decoded {
            Some((true, rows, table)) if rows == table.root.map_or(0, |root| root.rows) => Ok(table),
            Some((false, ..)) => {
                let message = format!("not a ruvector.db: its table '{name}' is of another kind");
                Err(Error::new(Kind::Format, message))
            }
            _ => Err(Error::new(Kind::Corrupt, format!("damaged: the definition of table '{name}'"))),
        }
    }
}

/// Whether bytes begin as a redb file does.
pub(in crate::foreign) fn begins_redb(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}
