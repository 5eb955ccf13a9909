//! From a request to its answer: the rules of access, the table of routes, and their handlers.
//!
//! [`ListenerApi`] is what a listener serves. It admits a request by its head, and once the body is there,
//! calls the handler of its route. A handler returns the answer or a [`refusal::Refusal`], which one table
//! turns into an answer.

mod access_log;
mod audit;
pub(crate) mod guard;
mod keymanager;
mod readiness;
pub(crate) mod refusal;
pub(crate) mod refusal_log;
mod reload;
pub(crate) mod routes;
mod service;
mod sign;
mod sign_extension;
mod slashing_data;
pub(crate) mod state;
mod status;
mod status_page;

use std::time::Instant;

pub use self::service::{AnswerCost, BodyRule, Service};

use self::guard::RouteScope;
use self::refusal::Refusal;
use self::routes::{NO_ROUTE, Route, RouteBody, RouteWait};
use self::state::ListenerApi;
use crate::http::request::Request;
use crate::http::response::Response;

impl Service for ListenerApi {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        if let Some(guard) = &self.guard
            && let Some(preflight) = guard.preflight(request)
        {
            return Err(preflight);
        }
        self.judge(request).map_err(|refusal| {
            let route = routes::find(self.routes, request.method, &request.path);
            self.finish(request, route, Err(refusal), None)
        })
    }

    fn wait_until_ready(&self, request: &Request) -> Result<(), Response> {
        let Some(route) = routes::find(self.routes, request.method, &request.path) else {
            return Ok(());
        };
        let ready = match route.wait {
            RouteWait::Nothing => Ok(()),
            RouteWait::FirstLoad => readiness::wait_for_load(&self.api),
            RouteWait::Key => readiness::wait_for_key(&self.api, request.last_segment()).map(drop),
        };
        ready.map_err(|refusal| self.finish(request, Some(route), Err(refusal), None))
    }

    fn answer(&self, request: &mut Request) -> Response {
        let begun = self.api.access_log.then(Instant::now);
        let route = routes::find(self.routes, request.method, &request.path);
        let answer = match route {
            Some(route) => (route.handler)(self, request),
            None => Err(Refusal::UnknownPath(request.path.clone())),
        };
        self.finish(request, route, answer, begun)
    }

    fn note_refusal(&self, status: u16) {
        self.api.metrics.answered(NO_ROUTE, status);
    }
}

impl ListenerApi {
    /// Checks host, path, token and method, in this order.
    fn judge(&self, request: &Request) -> Result<BodyRule, Refusal> {
        if let Some(guard) = &self.guard {
            guard.admit_host(request)?;
        }
        let Some(path) = routes::of_path(self.routes, &request.path).next() else {
            return Err(Refusal::UnknownPath(request.path.clone()));
        };
        if !path.feature.is_enabled(&self.api) {
            return Err(Refusal::FeatureOff(path.feature.how_to_enable()));
        }
        if let Some(guard) = &self.guard {
            guard.admit_token(request, path.scope)?;
        }
        let Some(route) = routes::find(self.routes, request.method, &request.path) else {
            let allowed = routes::allowed_methods(self.routes, &request.path);
            return Err(Refusal::Method(allowed));
        };
        Ok(BodyRule {
            bytes_max: route.body.bytes_max(),
            is_required: matches!(route.body, RouteBody::Required(_)),
            cost: route.cost(&self.api),
            is_trusted: route.scope != RouteScope::Open,
        })
    }

    /// Counts and logs. `begun` is when the answer was begun, if that is asked for.
    fn finish(
        &self,
        request: &Request,
        route: Option<&'static Route>,
        answer: Result<Response, Refusal>,
        begun: Option<Instant>,
    ) -> Response {
        let metrics = &self.api.metrics;
        let mut response = answer.unwrap_or_else(|refusal| {
            refusal.count(metrics, &self.api.activity);
            self.api.refusal_log.note(request, &refusal);
            refusal.into()
        });
        metrics.answered(route.map_or(NO_ROUTE, routes::number), response.status);
        if let Some(guard) = &self.guard {
            response.headers.extend(guard.shared_with(request));
        }
        response.echo_names_of(request);
        if self.api.access_log {
            access_log::write(request, &response, begun);
        }
        response
    }
}
