//! The two forms in which rows lie on disk, and nothing else that differs between them: segment files, and sorted runs of
//! engine `lsm`. Which of them a part has, its manifest says; which of them is written, the engine.

use super::log::held;
use super::part::Part;
use super::paths::Paths;
use super::selection::Group;
use super::stored::Core;
use crate::env::fs::{Advice, Fs};
use crate::error::{Error, Kind, Result};
use crate::failpoint;
use crate::format::header::{FileKind, Header, Owner};
use crate::format::{Description, Metric, Row};
use crate::lsm;
use crate::manifest::{Engine, LsmCompression, LsmSettings, SegmentKind, SegmentRef, Settings};
use crate::segment::{self, Builder, Segment};
use crate::sync::PoisonError;
use std::sync::Arc;

/// How parts are held, and how runs are written.
#[derive(Debug, Clone)]
pub(super) struct Access {
    pub files: segment::Access,
    pub runs: lsm::Options,
}

impl Access {
    /// As the settings say. The cache of blocks stays the one that `before` has, when its size is the same.
    pub fn of(settings: &Settings, before: Option<&Access>) -> Access {
        let advice = match settings.mmap.advice.as_str() {
            "normal" => Advice::Normal,
            "sequential" => Advice::Sequential,
            _ => Advice::Random,
        };
        let mmap = &settings.mmap;
        let files =
            segment::Access { mapped: mmap.enabled, advice, populate: mmap.populate, huge_pages: mmap.huge_pages };
        let LsmSettings { block_cache, block_size, compression, bloom_filter_bits_per_key, .. } = settings.lsm;
        let cache = before.map(|before| before.runs.cache.clone()).filter(|cache| cache.capacity() == block_cache);
        let runs = lsm::Options {
            cache: cache.unwrap_or_else(|| lsm::BlockCache::new(block_cache)),
            block_size,
            compression: compression == LsmCompression::Lz4,
            filter_bits: bloom_filter_bits_per_key as f32,
        };
        Access { files, runs }
    }
}

/// Refuses an engine that cannot work on those files.
pub(super) fn check_engine(fs: &dyn Fs, engine: Engine) -> Result<()> {
    if engine == Engine::Lsm && !fs.is_real() {
        return Err(Error::new(Kind::Unsupported, "engine lsm works on real files only"));
    }
    Ok(())
}

/// Opens the part that a manifest names.
pub(super) fn open_part(
    fs: &Arc<dyn Fs>,
    paths: &Paths,
    owner: Owner,
    named: &SegmentRef,
    access: &Access,
) -> Result<Part> {
    let SegmentRef { number, length, checksum, .. } = *named;
    let part = match named.kind {
        SegmentKind::File => {
            let expected = segment::Expected { owner, number, length, checksum };
            Part::Segment(Arc::new(Segment::open(fs.clone(), &paths.segment(number), &expected, access.files)?))
        }
        SegmentKind::Lsm => {
            let expected = lsm::Expected { owner, number, length, checksum };
            Part::Run(Arc::new(lsm::Run::open(&**fs, &paths.run(number), &expected, &access.runs)?))
        }
    };
    if part.rows() as u64 != named.rows {
        let message = format!("{} rows, the manifest names {}", part.rows(), named.rows);
        return Err(Error::new(Kind::Corrupt, message).in_file(&paths.part(named.kind, number)));
    }
    Ok(part)
}

/// Removes a part that no manifest names any more. Whoever has it open keeps it.
pub(super) fn remove_part(fs: &dyn Fs, paths: &Paths, kind: SegmentKind, number: u64) -> Result<()> {
    match kind {
        SegmentKind::File => fs.remove(&paths.segment(number)).map(|_| ()),
        SegmentKind::Lsm => lsm::remove(fs, &paths.run(number)),
    }
}

/// The form in which rows are to be written.
pub(super) struct Form {
    pub kind: SegmentKind,
    pub access: Access,
}

/// A part that was written and that no manifest names yet.
pub(super) struct Written {
    pub part: Part,
    pub named: SegmentRef,
}

impl Core {
    /// The form that those settings ask for.
    pub(super) fn form(&self, settings: &Settings) -> Form {
        let now = self.access.read().unwrap_or_else(PoisonError::into_inner);
        Form { kind: settings.engine.segments(), access: Access::of(settings, Some(&now)) }
    }

    /// Writes the live rows of a group as one part; `None` when there are none. `lsn`: what all of its rows get.
    pub(super) fn write_rows(
        &self,
        group: &Group,
        number: u64,
        form: &Form,
        description: Description,
        lsn: Option<u64>,
    ) -> Result<Option<Written>> {
        let Some(dimension) = description.dimension.filter(|_| group.rows() > 0) else { return Ok(None) };
        let (owner, generation) = {
            let root = held(&self.root);
            (root.owner, root.manifest.generation as u32)
        };
        let (kind, access) = (form.kind, &form.access);
        failpoint::hit("checkpoint.before_segment")?;
        let shape = (dimension, description.metric);
        let named = match kind {
            SegmentKind::File => {
                let header = Header { kind: FileKind::Segment, owner, number, generation };
                self.write_file(group, header, shape, lsn)?
            }
            SegmentKind::Lsm => {
                let header = Header { kind: FileKind::Run, owner, number, generation };
                self.write_run(group, header, shape, lsn, &access.runs)?
            }
        };
        failpoint::hit("checkpoint.after_segment")?;
        let part = open_part(&self.fs, &self.paths, owner, &named, access).inspect_err(|_| {
            let _ = remove_part(&*self.fs, &self.paths, kind, number);
        })?;
        Ok(Some(Written { part, named }))
    }

    fn write_file(
        &self,
        group: &Group,
        header: Header,
        (dimension, metric): (usize, Option<Metric>),
        lsn: Option<u64>,
    ) -> Result<SegmentRef> {
        let path = self.paths.segment(header.number);
        // What a failed attempt, here or in a process that died, left under that name.
        self.fs.remove(&path)?;
        let mut builder = Builder::create(self.fs.clone(), &path, header, dimension, metric)?;
        for source in &group.sources {
            for place in source.live(0..u32::MAX) {
                let pushed =
                    source.part.with(&place?, |row| builder.push(Row { lsn: lsn.unwrap_or(row.lsn), ..row }))?;
                pushed.transpose()?;
            }
        }
        failpoint::hit("checkpoint.after_rows")?;
        let segment::Sealed { number, length, checksum, rows, .. } = builder.finish()?;
        Ok(SegmentRef { number, kind: SegmentKind::File, length, checksum, rows: u64::from(rows), dead: None })
    }

    fn write_run(
        &self,
        group: &Group,
        header: Header,
        shape: (usize, Option<Metric>),
        lsn: Option<u64>,
        options: &lsm::Options,
    ) -> Result<SegmentRef> {
        self.fs.make_directory(&self.paths.runs)?;
        self.fs.sync_directory(&self.paths.home)?;
        let path = self.paths.run(header.number);
        let sealed = lsm::build(&*self.fs, &path, header, shape, options, |sink| {
            for source in &group.sources {
                for place in source.live(0..u32::MAX) {
                    let pushed =
                        source.part.with(&place?, |row| sink.push(&Row { lsn: lsn.unwrap_or(row.lsn), ..row }))?;
                    pushed.transpose()?;
                }
            }
            failpoint::hit("checkpoint.after_run_rows")
        })?;
        let lsm::Sealed { number, length, checksum, rows } = sealed;
        Ok(SegmentRef { number, kind: SegmentKind::Lsm, length, checksum, rows: u64::from(rows), dead: None })
    }

    /// Makes the names of what was written durable, before a manifest relies on them.
    pub(super) fn sync_parts<'a>(&self, written: impl Iterator<Item = &'a Written>) -> Result<()> {
        if written.into_iter().any(|made| made.named.kind == SegmentKind::Lsm) {
            self.fs.sync_directory(&self.paths.runs)?;
        }
        self.fs.sync_directory(&self.paths.segments)
    }

    /// Removes what was written in vain.
    pub(super) fn discard(&self, written: &[Option<Written>]) {
        // In doubt, a manifest that names them may be the one on disk.
        if held(&self.root).in_doubt {
            return;
        }
        failpoint::pass("checkpoint.before_discard");
        for made in written.iter().flatten() {
            let _ = remove_part(&*self.fs, &self.paths, made.named.kind, made.named.number);
        }
    }
}
