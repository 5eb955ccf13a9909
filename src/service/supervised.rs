//! The service as the main thread sees it: what a signal reloads, and what systemd is told.

use std::sync::Arc;

use super::access::{self, TokenFile};
use crate::api::state::Api;
use crate::counted::counted;
use crate::keys::progress::Progress;
use crate::server::Supervised;
use crate::server::tls::Tls;

/// The running service, as the main thread sees it.
pub(super) struct SupervisedService {
    pub(super) api: Arc<Api>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) token_files: Vec<TokenFile>,
}

impl Supervised for SupervisedService {
    fn reload(&self) {
        log::info!("SIGHUP: reloading");
        if let Some(audit_log) = &self.api.audit_log {
            audit_log.reopen();
        }
        self.api.keyring.reload();
        if let Some(tls) = &self.tls
            && let Err(error) = tls.reload()
        {
            log::error!("SIGHUP: {error}; certificate, key and clients stay as they were");
        }
        access::reload_tokens(&self.token_files);
    }

    fn is_loading(&self) -> bool {
        let progress = self.api.keyring.progress();
        !progress.first_load_ended || !progress.complete
    }

    fn status(&self) -> String {
        loading_status(&self.api.keyring.progress())
    }

    fn signers_are_alive(&self) -> bool {
        self.api.signer.is_alive()
    }
}

/// Returns the line that `systemctl status` shows.
fn loading_status(progress: &Progress) -> String {
    let pending = match progress.pending {
        Some(0) => String::new(),
        Some(pending) => format!(", {pending} to load"),
        None => ", looking for keys".to_owned(),
    };
    let loaded = counted(progress.loaded, "key", "keys");
    format!("{loaded} loaded, {} failed{pending}", progress.failed)
}
