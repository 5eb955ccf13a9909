//! What unit tests stand on: directories of their own, a disk that fails, keystores to open, and a plain
//! reference for slashing protection. The end-to-end suite shares most of the files.

#[path = "../../tests/keystore_text.rs"]
mod keystore_text;
pub(crate) mod keystores;
#[path = "../../tests/memory_disk.rs"]
pub(crate) mod memory_disk;
#[path = "../../tests/random.rs"]
pub(crate) mod random;
pub(crate) mod scratch;
#[path = "../../tests/slashing_reference.rs"]
pub(crate) mod slashing_reference;
#[path = "../../tests/scratch.rs"]
pub(crate) mod store_scratch;
#[path = "../../tests/support/vector_files.rs"]
pub(crate) mod vector_files;
