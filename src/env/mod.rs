//! The only code that meets the operating system: files, directories, the clock and new names.
//!
//! Everything above works on `Read`, `Write` and paths it was given. Every error names the path and the errno.

mod clock;
mod directory;
pub mod fs;
mod input;
mod path;
mod replace;
mod scratch;
mod temp;

pub use clock::{Utc, now_ms};
pub use directory::{
    Stamp, check_writable, ensure_directory, file_names, file_size, remove_file, stamp, sweep, sync_directory,
};
pub use input::{Input, first_byte, open_input, read_small};
pub use path::{checked_path, resolved, working_directory};
pub use replace::{Replacement, write_small};
pub use scratch::Scratch;
pub use temp::{new_id, new_uuid, open_files};
