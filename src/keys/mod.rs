//! Secret keys: where they come from, where they are kept, and the only way to a signature.
//!
//! | concept | files |
//! |---|---|
//! | secret memory | `arena`: locked memory; `secret`: a key that signs; `message_cache`: what the signatures of one message share; `g2`: the arithmetic, on blst; `scrub`: a clean stack |
//! | file formats | `keystore` (EIP-2335), `kdf`, `keystore_error`; `password`: its variants; `wallet` (Prysm); `definitions` (Lighthouse); `other_json`: what is not a keystore; `key_config` (Web3Signer); `mnemonic`, `mnemonic_words` (BIP-39); `seed`: keys that are computed |
//! | sources | `sources`: options to a list; `source`: one that can be read and opened; `scan`: what was found; `discover`: layouts of other programs; `imported`: files that this program wrote; `password_source`, `piped_secrets`; `reader`: reading within a bound of time |
//! | the keyring | `keyring`: the handle; `keyring_state`: what it knows, and the rules; `load`, `load_plan`, `running_load`; `waiters`: requests that wait for a key; `import`, `delete`, `change`; `progress`; `pool`, `memory_limit`: who may derive when; `cache`, `seal`: sealed keys for the next start; `dry_run`: all keys once, for commands |
//! | the table | `table`: the keys that can sign; `duplicate_use`: keys that two clients use |
//!
//! Imports go up in this list: the table knows nothing of the keyring, and secret memory nothing of files.

pub mod arena;
mod cache;
pub(crate) mod change;
pub(crate) mod definitions;
mod delete;
mod discover;
pub(crate) mod dry_run;
pub(crate) mod duplicate_use;
mod g2;
mod import;
pub(crate) mod imported;
mod kdf;
pub(crate) mod key_config;
pub(crate) mod keyring;
pub(crate) mod keyring_state;
pub mod keystore;
pub(crate) mod keystore_error;
mod load;
mod load_plan;
mod memory_limit;
mod message_cache;
mod mnemonic;
mod mnemonic_words;
mod other_json;
pub(crate) mod password;
mod password_source;
mod piped_secrets;
mod pool;
pub(crate) mod progress;
mod reader;
mod running_load;
mod scan;
pub(crate) mod scrub;
mod seal;
pub mod secret;
pub mod seed;
mod source;
pub(crate) mod sources;
pub mod table;
pub(crate) mod waiters;
mod wallet;
