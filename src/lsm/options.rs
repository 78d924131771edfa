//! How runs are written and read: the knobs of the tree, and the cache of blocks that the runs of a collection share.

use lsm_tree::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry, HashRatioPolicy,
    PinningPolicy,
};
use lsm_tree::{Cache, CompressionType, Config};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Slots of the hash index of a block of rows for each key.
const HASH_RATIO: f32 = 0.75;

/// Blocks of runs on the heap, up to a number of bytes, those that are used most.
#[derive(Clone)]
pub struct BlockCache(Arc<Cache>);

impl BlockCache {
    /// An empty one.
    pub fn new(bytes: u64) -> BlockCache {
        BlockCache(Arc::new(Cache::with_capacity_bytes(bytes)))
    }

    /// Bytes that it may hold.
    pub fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    /// Whether it is the very same.
    pub fn is(&self, other: &BlockCache) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Bytes that it holds, about.
    pub fn bytes(&self) -> u64 {
        self.0.size()
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache").field("capacity", &self.capacity()).field("bytes", &self.bytes()).finish()
    }
}

/// How runs are written and read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where blocks are kept once they are read.
    pub cache: BlockCache,
    /// Bytes of a block of rows, before compression.
    pub block_size: u32,
    /// Whether blocks of rows are compressed (lz4).
    pub compression: bool,
    /// Bits of filter for each key; 0: no filters.
    pub filter_bits: f32,
}

impl Options {
    /// The tree in that folder. Files stay open as long as it is, so that a reader keeps what a writer removes. Indexes
    /// and filters are read when they are needed: opening costs nothing that grows with the rows.
    pub(super) fn tree(&self, path: &Path) -> Config {
        let compression = if self.compression { CompressionType::Lz4 } else { CompressionType::None };
        let filter = match self.filter_bits > 0.0 {
            true => FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(self.filter_bits)),
            false => FilterPolicyEntry::None,
        };
        Config::new(path, Default::default(), Default::default())
            .use_cache(self.cache.0.clone())
            .use_descriptor_table(None)
            .data_block_size_policy(BlockSizePolicy::all(self.block_size))
            .data_block_compression_policy(CompressionPolicy::all(compression))
            .data_block_hash_ratio_policy(HashRatioPolicy::all(HASH_RATIO))
            .filter_policy(FilterPolicy::all(filter))
            .index_block_partitioning_policy(PinningPolicy::all(true))
            .filter_block_partitioning_policy(PinningPolicy::all(true))
            .index_block_pinning_policy(PinningPolicy::all(false))
            .filter_block_pinning_policy(PinningPolicy::all(false))
    }
}
