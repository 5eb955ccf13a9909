//! What the routes work with: the state of the service, and the listener that a request came in on.

use std::sync::Arc;
use std::time::Instant;

use super::guard::Guard;
use super::refusal::Refusal;
use super::refusal_log::RefusalLog;
use crate::audit_log::AuditLog;
use crate::consensus::networks::Networks;
use crate::consensus::primitives::Signature;
use crate::keys::duplicate_use::DuplicateUses;
use crate::keys::keyring::Keyring;
use crate::keys::secret::SecretKey;
use crate::keys::table::KeyTable;
use crate::metrics::Metrics;
use crate::slashing::{Cleared, Protection};
use crate::status::RecentActivity;
use crate::status::report::ConnectedClient;

/// The state that all routes share.
pub(crate) struct Api {
    /// The loaded keys.
    pub(crate) keys: Arc<KeyTable>,
    /// Knows what is still being decrypted; imports, deletes and reloads.
    pub(crate) keyring: Arc<Keyring>,
    /// Slashing protection, or its absence.
    pub(crate) protection: Arc<Protection>,
    /// The chosen network, and those that a `fork_info` may name.
    pub(crate) networks: Networks,
    /// The signing threads.
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) metrics: Arc<Metrics>,
    /// What happened in the last slots.
    pub(crate) activity: RecentActivity,
    /// Returns the clients that are connected.
    pub(crate) clients: Box<dyn Fn() -> Vec<ConnectedClient> + Send + Sync>,
    /// Returns when the certificate of this server expires, in Unix time; `None` without TLS.
    pub(crate) certificate_not_after: Box<dyn Fn() -> Option<i64> + Send + Sync>,
    pub(crate) started: Instant,
    /// Notices when two clients use the same key.
    pub(crate) duplicate_uses: Arc<DuplicateUses>,
    pub(crate) refusal_log: RefusalLog,
    /// Gets a line for each signature, if there is one.
    pub(crate) audit_log: Option<Arc<AuditLog>>,
    /// `/healthcheck` is DOWN with fewer keys than this.
    pub(crate) expect_keys: Option<usize>,
    /// Whether every request is a line of the log.
    pub(crate) access_log: bool,
    /// Whether `POST /api/v1/eth2/ext/sign/{key}` exists.
    pub(crate) signing_extension_enabled: bool,
    /// Whether the Keymanager routes exist.
    pub(crate) key_manager_enabled: bool,
}

/// Threads that sign while the caller waits.
pub(crate) trait Signer: Send + Sync + 'static {
    /// Returns the signature over the cleared root.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when too many signatures are waiting already.
    fn sign(&self, key: Arc<SecretKey>, cleared: Cleared) -> Result<Signature, Refusal>;

    /// Whether signatures have been made since the last call, if any are waiting.
    fn is_alive(&self) -> bool;
}

/// What a listener serves: its routes, and the rules of who may use them.
pub(crate) struct ListenerApi {
    pub(crate) api: Arc<Api>,
    pub(crate) routes: RouteSet,
    /// `None` on the control socket, which only the owner of this process can reach: no token is asked for
    /// there, and nothing is concealed.
    pub(crate) guard: Option<Guard>,
}

/// Which routes a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteSet {
    /// Those of the signing listener and of the control socket.
    Signing,
    /// Those of the metrics listener, for Prometheus and for probes without a client certificate.
    Metrics,
}
