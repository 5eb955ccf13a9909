//! The routes: one match on method and path, each answer a value.

pub mod guard;
pub mod keys;
mod operate;
pub mod refusal;
mod sign;
mod status;

use std::sync::Arc;

use self::guard::{Guard, Scope};
use self::refusal::Refusal;
use crate::consensus::network::Networks;
use crate::consensus::primitives::Signature;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::keys::loader::Loader;
use crate::keys::secret::SecretKey;
use crate::keys::table::KeyTable;
use crate::metrics::Metrics;
use crate::slashing::{Cleared, Protection};

/// What a listener serves. Called from a coroutine: it may wait through [`crate::wait`] alone.
pub trait Service: Send + Sync + 'static {
    /// The answer to one request. A panic in here is answered with 500.
    fn answer(&self, request: Request) -> Response;

    /// How many bytes of body this route takes, decided from method and path before the body is
    /// read; beyond it the answer is 413.
    fn body_bytes_max(&self, method: Method, path: &str) -> usize;

    /// Whether a request without a length makes no sense here, and gets 411; else it has no body.
    fn requires_body(&self, method: Method, path: &str) -> bool {
        method == Method::Post && self.body_bytes_max(method, path) > 0
    }
}

/// Threads that sign while the caller waits.
pub trait Signer: Send + Sync + 'static {
    /// The signature over the cleared root.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when too many are waiting already.
    fn sign(&self, key: Arc<SecretKey>, cleared: Cleared) -> Result<Signature, Refusal>;
}

/// The state that all routes share.
pub struct Api {
    /// The loaded keys.
    pub keys: Arc<KeyTable>,
    /// What is still being decrypted; import, deletion, reload.
    pub loader: Arc<Loader>,
    /// Slashing protection, or its absence.
    pub protection: Arc<Protection>,
    /// The chosen network, and those that a `fork_info` may name.
    pub networks: Networks,
    /// The signing threads.
    pub signer: Box<dyn Signer>,
    /// Who may ask.
    pub guard: Guard,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// `/healthcheck` is DOWN with fewer keys than this.
    pub expect_keys: Option<usize>,
    /// Whether every request is a line of the log.
    pub access_log: bool,
    /// Whether `/eth/v1/keystores` exists here.
    pub key_manager_enabled: bool,
}

/// A path that exists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route<'a> {
    Sign(&'a str),
    PublicKeys,
    Upcheck,
    Health,
    Healthcheck,
    Reload,
    Keystores,
    HighWatermark,
    SlashingProtection,
}

impl<'a> Route<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        match path {
            "/api/v1/eth2/publicKeys" => Some(Self::PublicKeys),
            "/upcheck" => Some(Self::Upcheck),
            "/health" => Some(Self::Health),
            "/healthcheck" => Some(Self::Healthcheck),
            "/reload" => Some(Self::Reload),
            "/eth/v1/keystores" => Some(Self::Keystores),
            "/api/v1/eth2/highWatermark" => Some(Self::HighWatermark),
            "/api/v1/slashing-protection" => Some(Self::SlashingProtection),
            _ => path.strip_prefix("/api/v1/eth2/sign/").filter(|id| !id.contains('/')).map(Self::Sign),
        }
    }

    /// Which token opens it.
    fn scope(self) -> Scope {
        match self {
            Self::Upcheck | Self::Health | Self::Healthcheck => Scope::Open,
            Self::Keystores => Scope::KeyManager,
            Self::SlashingProtection => Scope::KeyManager,
            Self::Sign(_) | Self::PublicKeys | Self::Reload | Self::HighWatermark => Scope::Everything,
        }
    }

    /// The methods it has, for `Allow`.
    fn methods(self) -> &'static str {
        match self {
            Self::Sign(_) => "POST",
            Self::PublicKeys | Self::Upcheck | Self::Health | Self::Healthcheck | Self::HighWatermark => {
                "GET, HEAD"
            }
            Self::Reload | Self::SlashingProtection => "GET, HEAD, POST",
            Self::Keystores => "GET, HEAD, POST, DELETE",
        }
    }
}

impl Api {
    fn dispatch(&self, request: Request) -> Result<Response, Refusal> {
        let path = request.path.clone();
        self.guard.admit_host(&request)?;
        let Some(route) = Route::of(&path).filter(|route| self.has(*route)) else {
            return Err(Refusal::UnknownPath(path));
        };
        self.guard.admit_token(&request, route.scope())?;
        match (route, request.method) {
            (Route::Sign(identifier), Method::Post) => sign::sign(self, identifier, request),
            (Route::PublicKeys, Method::Get | Method::Head) => Ok(status::public_keys(self)),
            (Route::Upcheck, Method::Get | Method::Head) => Ok(status::upcheck(request.header("accept"))),
            (Route::Health, Method::Get | Method::Head) => Ok(status::health(self)),
            (Route::Healthcheck, Method::Get | Method::Head) => Ok(status::healthcheck(self)),
            (Route::Reload, Method::Post) => operate::reload(self),
            (Route::Reload, Method::Get | Method::Head) => Ok(operate::reload_state(self)),
            (Route::Keystores, Method::Get | Method::Head) => Ok(keys::list(self)),
            (Route::Keystores, Method::Post) => keys::import(self, &request),
            (Route::Keystores, Method::Delete) => keys::delete(self, &request),
            (Route::HighWatermark, Method::Get | Method::Head) => Ok(operate::high_watermark(self)),
            (Route::SlashingProtection, Method::Get | Method::Head) => operate::export(self, &request),
            (Route::SlashingProtection, Method::Post) => operate::import(self, &request),
            (route, _) => Err(Refusal::Method(route.methods())),
        }
    }

    fn has(&self, route: Route<'_>) -> bool {
        match route {
            Route::Keystores => self.key_manager_enabled,
            Route::HighWatermark | Route::SlashingProtection => matches!(*self.protection, Protection::On(_)),
            Route::Sign(_) | Route::PublicKeys | Route::Upcheck => true,
            Route::Health | Route::Healthcheck | Route::Reload => true,
        }
    }
}

impl Service for Api {
    fn answer(&self, request: Request) -> Response {
        if let Some(preflight) = self.guard.preflight(&request) {
            return preflight;
        }
        let origin = self.guard.shared_with(&request);
        let line = self.access_log.then(|| request_line(&request));
        let mut response = self.dispatch(request).unwrap_or_else(|refusal| {
            self.metrics.refused(refusal.kind());
            refusal.into()
        });
        response.headers.extend(origin);
        if let Some(line) = line {
            log::info!("{line} {} {}", response.status, response.body.len());
        }
        response
    }

    fn body_bytes_max(&self, _method: Method, path: &str) -> usize {
        match Route::of(path) {
            Some(Route::Sign(_)) => SIGN_BODY_BYTES_MAX,
            Some(Route::Keystores | Route::SlashingProtection) => KEYSTORES_BODY_BYTES_MAX,
            _ => OTHER_BODY_BYTES_MAX,
        }
    }

    fn requires_body(&self, method: Method, path: &str) -> bool {
        let takes =
            matches!(Route::of(path), Some(Route::Sign(_) | Route::Keystores | Route::SlashingProtection));
        method == Method::Post && takes
    }
}

/// Who asks for what: neither query nor fields nor body, which may hold secrets.
fn request_line(request: &Request) -> String {
    let peer = request.peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
    format!("{peer} {} {}", request.method.name(), request.path)
}

/// A Gloas envelope holds a whole execution payload, in hex.
const SIGN_BODY_BYTES_MAX: usize = 32 << 20;
/// Keystores by the thousand in one import, with their slashing data.
const KEYSTORES_BODY_BYTES_MAX: usize = 64 << 20;
/// No other route has a body; clients send `{}` all the same.
const OTHER_BODY_BYTES_MAX: usize = 64 << 10;
