//! The routes: one row for a method of a path.
//!
//! To add a route, add its row here and write its handler. The rows of one path agree in scope and
//! feature.

use self::RouteBody::{Ignored, Optional, Required};
use self::RouteCost::{High, Long, Low, PerKey};
use self::RouteFeature::{Always, KeyManagerApi, SigningExtension, SlashingProtection};
use self::RouteWait::{FirstLoad, Key};
use super::guard::RouteScope::{self, Everything, KeyManager, Open};
use super::refusal::Refusal;
use super::service::AnswerCost;
use super::state::{Api, ListenerApi, RouteSet};
use super::{keymanager, reload, sign, sign_extension, slashing_data, status, status_page};
use crate::http::request::Method::{self, Delete, Get, Post};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::metrics::CountedRoute;
use crate::slashing::Protection;

/// One method of a path.
pub(super) struct Route {
    pub(super) method: Method,
    /// The path; `{…}` at its end stands for any one segment.
    path: &'static str,
    pub(super) scope: RouteScope,
    pub(super) feature: RouteFeature,
    pub(super) body: RouteBody,
    cost: RouteCost,
    pub(super) wait: RouteWait,
    pub(super) handler: Handler,
}

type Handler = fn(&ListenerApi, &mut Request) -> Result<Response, Refusal>;

/// What must be enabled for a route to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteFeature {
    Always,
    KeyManagerApi,
    SlashingProtection,
    SigningExtension,
}

/// Which body a route takes.
#[derive(Clone, Copy)]
pub(super) enum RouteBody {
    /// It reads none. Some clients send `{}` anyway.
    Ignored,
    /// At most so many bytes.
    Optional(usize),
    /// The same; without a body the answer is 411.
    Required(usize),
}

/// What the answer of a route costs.
#[derive(Clone, Copy)]
enum RouteCost {
    Low,
    /// Low for few keys, high for many.
    PerKey,
    High,
    Long,
}

/// What a request waits for.
#[derive(Clone, Copy)]
pub(super) enum RouteWait {
    Nothing,
    /// The end of the first load.
    FirstLoad,
    /// The key that the path names.
    Key,
}

/// A Gloas envelope holds a whole execution payload, in hex.
const SIGN_BYTES_MAX: usize = 32 << 20;

/// A proof of validation has about 100 bytes.
const EXTENSION_BYTES_MAX: usize = 4 << 10;

/// An import may hold thousands of keystores and their slashing data.
const IMPORT_BYTES_MAX: usize = 64 << 20;

/// For a body that is not read.
const IGNORED_BYTES_MAX: usize = 64 << 10;

/// A list of so many keys is written in less than a millisecond.
const KEYS_LISTED_AT_ONCE: usize = 1_000;

/// The routes of the signing listener and of the control socket.
#[rustfmt::skip] // One row a line.
static SIGNING_ROUTES: [Route; 18] = [
    route(Post,   "/api/v1/eth2/sign/{identifier}",     Everything, Always,             Required(SIGN_BYTES_MAX),      Low,    sign::sign).waits_for(Key),
    route(Get,    "/api/v1/eth2/publicKeys",            Everything, Always,             Ignored,                       PerKey, status::public_keys).waits_for(FirstLoad),
    route(Post,   "/api/v1/eth2/ext/sign/{identifier}", Everything, SigningExtension,   Required(EXTENSION_BYTES_MAX), Low,    sign_extension::sign).waits_for(Key),
    route(Get,    "/upcheck",                           Open,       Always,             Ignored,                       Low,    status::upcheck),
    route(Get,    "/health",                            Open,       Always,             Ignored,                       Low,    status::health),
    route(Get,    "/healthcheck",                       Open,       Always,             Ignored,                       Low,    status::healthcheck),
    route(Get,    "/status",                            Everything, Always,             Ignored,                       High,   status_page::figures),
    route(Get,    "/reload",                            Everything, Always,             Ignored,                       Low,    reload::state),
    route(Post,   "/reload",                            Everything, Always,             Ignored,                       Low,    reload::start),
    route(Get,    "/eth/v1/keystores",                  KeyManager, KeyManagerApi,      Ignored,                       PerKey, keymanager::list),
    route(Post,   "/eth/v1/keystores",                  KeyManager, KeyManagerApi,      Required(IMPORT_BYTES_MAX),    Long,   keymanager::import),
    route(Delete, "/eth/v1/keystores",                  KeyManager, KeyManagerApi,      Optional(IMPORT_BYTES_MAX),    Long,   keymanager::delete),
    route(Get,    "/eth/v1/remotekeys",                 Open,       Always,             Ignored,                       Low,    keymanager::remote_keys),
    route(Post,   "/eth/v1/remotekeys",                 Open,       Always,             Ignored,                       Low,    keymanager::remote_keys),
    route(Delete, "/eth/v1/remotekeys",                 Open,       Always,             Ignored,                       Low,    keymanager::remote_keys),
    route(Get,    "/api/v1/eth2/highWatermark",         Everything, SlashingProtection, Ignored,                       Low,    slashing_data::high_watermark),
    route(Get,    "/api/v1/slashing-protection",        KeyManager, SlashingProtection, Ignored,                       High,   slashing_data::export),
    route(Post,   "/api/v1/slashing-protection",        KeyManager, SlashingProtection, Required(IMPORT_BYTES_MAX),    Long,   slashing_data::import),
];

/// The routes of the metrics listener.
#[rustfmt::skip] // One row a line.
static METRICS_ROUTES: [Route; 4] = [
    route(Get,    "/metrics",                           Everything, Always,             Ignored,                       High,   status::metrics),
    route(Get,    "/healthcheck",                       Open,       Always,             Ignored,                       Low,    status::healthcheck),
    route(Get,    "/status",                            Everything, Always,             Ignored,                       High,   status_page::figures),
    route(Get,    "/",                                  Open,       Always,             Ignored,                       High,   status_page::page),
];

const fn route(
    method: Method,
    path: &'static str,
    scope: RouteScope,
    feature: RouteFeature,
    body: RouteBody,
    cost: RouteCost,
    handler: Handler,
) -> Route {
    Route {
        method,
        path,
        scope,
        feature,
        body,
        cost,
        wait: RouteWait::Nothing,
        handler,
    }
}

/// The number under which the answers to requests without a route are counted: it comes after all routes.
pub(super) const NO_ROUTE: usize = SIGNING_ROUTES.len() + METRICS_ROUTES.len();

/// Statuses that the server itself gives to what it cannot read.
const UNREAD_STATUSES: &[u16] = &[400, 404, 408, 411, 413, 414, 431, 501, 503, 505];

/// Returns all routes in the order of their numbers, and what stands for none.
pub(crate) fn counted_routes() -> Vec<CountedRoute> {
    let mut counted = Vec::new();
    for (position, route) in all_routes().enumerate() {
        let statuses = if number(route) == position {
            route.statuses()
        } else {
            &[] // counted with the same route of another listener
        };
        counted.push(CountedRoute {
            method: route.method.name(),
            path: route.path,
            statuses,
        });
    }
    counted.push(CountedRoute {
        method: "none",
        path: "none",
        statuses: UNREAD_STATUSES,
    });
    counted
}

/// Returns the number of a route. Several listeners may have the same route, under one number.
pub(super) fn number(route: &Route) -> usize {
    all_routes()
        .position(|known| known.method == route.method && known.path == route.path)
        .unwrap_or(NO_ROUTE)
}

fn all_routes() -> impl Iterator<Item = &'static Route> {
    SIGNING_ROUTES.iter().chain(&METRICS_ROUTES)
}

/// Returns the route of a request; HEAD has that of GET.
pub(super) fn find(set: RouteSet, method: Method, path: &str) -> Option<&'static Route> {
    let method = if method == Method::Head { Get } else { method };
    of_path(set, path).find(|route| route.method == method)
}

/// Returns the routes of all methods that a path has.
pub(super) fn of_path(set: RouteSet, path: &str) -> impl Iterator<Item = &'static Route> {
    let routes = match set {
        RouteSet::Signing => &SIGNING_ROUTES[..],
        RouteSet::Metrics => &METRICS_ROUTES[..],
    };
    routes.iter().filter(|route| route.has_path(path))
}

/// Returns the methods that a path has, as the field `Allow` lists them.
pub(super) fn allowed_methods(set: RouteSet, path: &str) -> String {
    let mut names = Vec::new();
    for route in of_path(set, path) {
        names.push(route.method.name());
        if route.method == Get {
            names.push(Method::Head.name());
        }
    }
    names.join(", ")
}

impl Route {
    /// Returns the statuses that are to be expected, for metrics.
    fn statuses(&self) -> &'static [u16] {
        match (self.wait, self.scope, self.method) {
            (Key, _, _) => &[200, 400, 401, 403, 404, 412, 413, 500, 503],
            (_, Open, _) => &[200, 403, 503],
            (_, _, Get) => &[200, 401, 403, 503],
            _ => &[200, 400, 401, 403, 413, 503],
        }
    }

    const fn waits_for(mut self, wait: RouteWait) -> Self {
        self.wait = wait;
        self
    }

    fn has_path(&self, path: &str) -> bool {
        match self.path.split_once('{') {
            None => self.path == path,
            Some((prefix, _)) => path
                .strip_prefix(prefix)
                .is_some_and(|segment| !segment.is_empty() && !segment.contains('/')),
        }
    }

    pub(super) fn cost(&self, api: &Api) -> AnswerCost {
        match self.cost {
            RouteCost::Low => AnswerCost::Low,
            RouteCost::PerKey if has_few_keys(api) => AnswerCost::Low,
            RouteCost::PerKey | RouteCost::High => AnswerCost::High,
            RouteCost::Long => AnswerCost::Long,
        }
    }
}

fn has_few_keys(api: &Api) -> bool {
    api.keyring.first_load_ended() && api.keys.len() <= KEYS_LISTED_AT_ONCE
}

impl RouteFeature {
    pub(super) fn is_enabled(self, api: &Api) -> bool {
        match self {
            Self::Always => true,
            Self::KeyManagerApi => api.key_manager_enabled,
            Self::SigningExtension => api.signing_extension_enabled,
            Self::SlashingProtection => matches!(*api.protection, Protection::On(_)),
        }
    }

    /// Returns a sentence for clients of a route that does not exist.
    pub(super) fn how_to_enable(self) -> &'static str {
        match self {
            Self::Always => "this route always exists",
            Self::KeyManagerApi => {
                "the Keymanager routes are off: start signerd with --key-manager-api-enabled"
            }
            Self::SigningExtension => {
                "the signing extension is off: start signerd with --Xsigning-ext-enabled"
            }
            Self::SlashingProtection => {
                "slashing protection is off: start signerd with --slashing-protection-enabled and --data-dir"
            }
        }
    }
}

impl RouteBody {
    pub(super) fn bytes_max(self) -> usize {
        match self {
            Self::Ignored => IGNORED_BYTES_MAX,
            Self::Optional(bytes_max) | Self::Required(bytes_max) => bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_counted_under_one_number() {
        let counted = counted_routes();
        assert_eq!(counted.len(), NO_ROUTE + 1);
        for route in all_routes() {
            let counted = counted[number(route)];
            let expected = (route.path, route.method.name());
            assert_eq!((counted.path, counted.method), expected);
            assert!(counted.statuses.contains(&200));
        }
    }

    #[test]
    fn the_rows_of_a_path_agree_in_scope_and_feature() {
        for routes in [&SIGNING_ROUTES[..], &METRICS_ROUTES[..]] {
            for route in routes {
                for other in routes.iter().filter(|other| other.path == route.path) {
                    assert_eq!(
                        (route.scope, route.feature),
                        (other.scope, other.feature),
                        "{}",
                        route.path
                    );
                }
            }
        }
    }
}
