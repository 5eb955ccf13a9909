//! The routes: one match on method and path, each answer a value.

pub mod guard;
pub mod keys;
mod operate;
pub mod refusal;
mod sign;
mod status;

use std::sync::Arc;

use self::guard::{Credential, Guard, Scope};
use self::refusal::Refusal;
use crate::consensus::network::Networks;
use crate::consensus::primitives::Signature;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::keys::keyring::Keyring;
use crate::keys::secret::SecretKey;
use crate::keys::table::KeyTable;
use crate::metrics::Metrics;
use crate::slashing::{Cleared, Protection};

/// What a listener serves. Called from a coroutine: it may wait through [`crate::wait`] alone.
pub trait Service: Send + Sync + 'static {
    /// Judges a request by its head, before its body is read: which body may follow, or the answer to a
    /// request that is not served. A panic, here and below, is answered with 500.
    ///
    /// # Errors
    /// The answer.
    fn admit(&self, request: &Request) -> Result<BodyRule, Response>;

    /// The answer to a request that has been admitted.
    fn answer(&self, request: &mut Request) -> Response;
}

impl<T: Service> Service for Arc<T> {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        (**self).admit(request)
    }

    fn answer(&self, request: &mut Request) -> Response {
        (**self).answer(request)
    }
}

/// Which body a request may have.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyRule {
    /// Beyond it the answer is 413.
    pub bytes_max: usize,
    /// Whether a request that announces no body makes no sense, and gets 411.
    pub is_required: bool,
    /// What the answer costs beside reading the body.
    pub cost: Cost,
    /// Whether who asks has shown that it may use more than what is open to all: its connection goes
    /// last when there are too many.
    pub is_trusted: bool,
}

/// What an answer costs; it decides which thread makes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Well below a millisecond, when the body is small.
    #[default]
    Low,
    /// Milliseconds of computing, like a list of very many keys.
    High,
    /// Perhaps minutes, like an import of many keystores.
    Long,
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
    pub keyring: Arc<Keyring>,
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

/// The same routes on the control socket, which nobody but the owner of this process can reach: they need
/// no token there, and tell everything.
pub struct ControlApi(pub Arc<Api>);

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// On a listener that the [`Guard`] stands before.
    Guarded,
    /// On the control socket.
    Control,
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
        let path = if path.len() > 1 {
            path.strip_suffix('/').unwrap_or(path)
        } else {
            path
        };
        match path {
            "/api/v1/eth2/publicKeys" => Some(Self::PublicKeys),
            "/upcheck" => Some(Self::Upcheck),
            "/health" => Some(Self::Health),
            "/healthcheck" => Some(Self::Healthcheck),
            "/reload" => Some(Self::Reload),
            "/eth/v1/keystores" => Some(Self::Keystores),
            "/api/v1/eth2/highWatermark" => Some(Self::HighWatermark),
            "/api/v1/slashing-protection" => Some(Self::SlashingProtection),
            _ => path
                .strip_prefix("/api/v1/eth2/sign/")
                .filter(|id| !id.contains('/'))
                .map(Self::Sign),
        }
    }

    /// Which token opens it.
    fn scope(self) -> Scope {
        match self {
            Self::Upcheck | Self::Health | Self::Healthcheck => Scope::Open,
            Self::Keystores | Self::SlashingProtection => Scope::KeyManager,
            Self::Sign(_) | Self::PublicKeys | Self::Reload | Self::HighWatermark => {
                Scope::Everything
            }
        }
    }

    /// The methods it has, for `Allow`.
    fn methods(self) -> &'static str {
        match self {
            Self::Sign(_) => "POST",
            Self::PublicKeys
            | Self::Upcheck
            | Self::Health
            | Self::Healthcheck
            | Self::HighWatermark => "GET, HEAD",
            Self::Reload | Self::SlashingProtection => "GET, HEAD, POST",
            Self::Keystores => "GET, HEAD, POST, DELETE",
        }
    }

    fn body_rule(self, method: Method) -> BodyRule {
        let bytes_max = match self {
            Self::Sign(_) => SIGN_BODY_BYTES_MAX,
            Self::Keystores | Self::SlashingProtection => KEYSTORES_BODY_BYTES_MAX,
            Self::PublicKeys | Self::Upcheck | Self::Health | Self::Healthcheck => {
                OTHER_BODY_BYTES_MAX
            }
            Self::Reload | Self::HighWatermark => OTHER_BODY_BYTES_MAX,
        };
        BodyRule {
            bytes_max,
            is_required: method == Method::Post && self != Self::Reload,
            cost: Cost::Low,
            is_trusted: self.scope() != Scope::Open,
        }
    }
}

impl Api {
    fn route<'a>(&self, path: &'a str) -> Result<Route<'a>, Refusal> {
        let route = Route::of(path).filter(|route| self.has(*route));
        route.ok_or_else(|| Refusal::UnknownPath(path.to_owned()))
    }

    fn judge(&self, request: &Request, access: Access) -> Result<BodyRule, Refusal> {
        if access == Access::Guarded {
            self.guard.admit_host(request)?;
        }
        let route = self.route(&request.path)?;
        if access == Access::Guarded {
            self.guard.admit_token(request, route.scope())?;
        }
        let mut methods = route.methods().split(", ");
        if !methods.any(|name| name == request.method.name()) {
            return Err(Refusal::Method(route.methods()));
        }
        Ok(BodyRule {
            cost: self.cost(route, request.method),
            ..route.body_rule(request.method)
        })
    }

    fn cost(&self, route: Route<'_>, method: Method) -> Cost {
        let changes = matches!(method, Method::Post | Method::Delete);
        match route {
            Route::Keystores | Route::SlashingProtection if changes => Cost::Long,
            Route::SlashingProtection => Cost::High,
            Route::Keystores | Route::PublicKeys if self.keys.len() > KEYS_LISTED_AT_ONCE => {
                Cost::High
            }
            Route::Keystores | Route::PublicKeys | Route::Sign(_) | Route::Upcheck => Cost::Low,
            Route::Health | Route::Healthcheck | Route::Reload | Route::HighWatermark => Cost::Low,
        }
    }

    fn dispatch(&self, request: &mut Request, access: Access) -> Result<Response, Refusal> {
        let route = self.route(&request.path)?;
        match (route, request.method) {
            (Route::Sign(identifier), Method::Post) => {
                sign::sign(self, identifier, &request.headers, &mut request.body)
            }
            (Route::PublicKeys, Method::Get | Method::Head) => Ok(status::public_keys(self)),
            (Route::Upcheck, Method::Get | Method::Head) => {
                Ok(status::upcheck(request.header("accept")))
            }
            (Route::Health, Method::Get | Method::Head) => Ok(status::health(self)),
            (Route::Healthcheck, Method::Get | Method::Head) => {
                let credential = match access {
                    Access::Guarded => self.guard.credential(request),
                    Access::Control => Credential::Right,
                };
                Ok(status::healthcheck(self, credential))
            }
            (Route::Reload, Method::Post) => Ok(operate::reload(self)),
            (Route::Reload, Method::Get | Method::Head) => Ok(operate::reload_state(self)),
            (Route::Keystores, Method::Get | Method::Head) => Ok(keys::list(self)),
            (Route::Keystores, Method::Post) => keys::import(self, request),
            (Route::Keystores, Method::Delete) => keys::delete(self, request),
            (Route::HighWatermark, Method::Get | Method::Head) => Ok(operate::high_watermark(self)),
            (Route::SlashingProtection, Method::Get | Method::Head) => {
                operate::export(self, request)
            }
            (Route::SlashingProtection, Method::Post) => operate::import(self, request),
            (route, _) => Err(Refusal::Method(route.methods())),
        }
    }

    fn has(&self, route: Route<'_>) -> bool {
        match route {
            Route::Keystores => self.key_manager_enabled,
            Route::HighWatermark | Route::SlashingProtection => {
                matches!(*self.protection, Protection::On(_))
            }
            Route::Sign(_) | Route::PublicKeys | Route::Upcheck => true,
            Route::Health | Route::Healthcheck | Route::Reload => true,
        }
    }

    /// Counts and logs: neither query nor fields nor body, which may hold secrets.
    fn finish(&self, request: &Request, result: Result<Response, Refusal>) -> Response {
        let mut response = result.unwrap_or_else(|refusal| {
            self.metrics.refused(refusal.kind());
            refusal.into()
        });
        response.headers.extend(self.guard.shared_with(request));
        if self.access_log {
            let peer = request
                .peer
                .map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
            let (method, path) = (request.method.name(), &request.path);
            log::info!(
                "{peer} {method} {path} {} {}",
                response.status,
                response.body.len()
            );
        }
        response
    }
}

impl Service for Api {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        match self.guard.preflight(request) {
            Some(preflight) => Err(preflight),
            None => self
                .judge(request, Access::Guarded)
                .map_err(|refusal| self.finish(request, Err(refusal))),
        }
    }

    fn answer(&self, request: &mut Request) -> Response {
        let result = self.dispatch(request, Access::Guarded);
        self.finish(request, result)
    }
}

impl Service for ControlApi {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        self.0
            .judge(request, Access::Control)
            .map_err(|refusal| self.0.finish(request, Err(refusal)))
    }

    fn answer(&self, request: &mut Request) -> Response {
        let result = self.0.dispatch(request, Access::Control);
        self.0.finish(request, result)
    }
}

/// A list of so many keys is written in less than a millisecond.
const KEYS_LISTED_AT_ONCE: usize = 1_000;
/// A Gloas envelope holds a whole execution payload, in hex.
const SIGN_BODY_BYTES_MAX: usize = 32 << 20;
/// Keystores by the thousand in one import, with their slashing data.
const KEYSTORES_BODY_BYTES_MAX: usize = 64 << 20;
/// No other route has a body; clients send `{}` all the same.
const OTHER_BODY_BYTES_MAX: usize = 64 << 10;
