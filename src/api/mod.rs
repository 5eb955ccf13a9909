//! From a request to its answer: the rules of access, the table of routes, and their handlers.
//!
//! [`ListenerApi`] is what a listener serves. It admits a request by its head, and once the body is there,
//! calls the handler of its route. A handler returns the answer or a [`refusal::Refusal`], which one table
//! turns into an answer.

pub(crate) mod guard;
mod keymanager;
mod readiness;
pub(crate) mod refusal;
pub(crate) mod refusal_log;
mod reload;
mod routes;
mod service;
mod sign;
mod sign_extension;
mod slashing_data;
pub(crate) mod state;
mod status;
mod status_page;

pub use self::service::{AnswerCost, BodyRule, Service};

use self::guard::RouteScope;
use self::refusal::Refusal;
use self::routes::{RouteBody, RouteWait};
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
        self.judge(request)
            .map_err(|refusal| self.finish(request, Err(refusal)))
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
        ready.map_err(|refusal| self.finish(request, Err(refusal)))
    }

    fn answer(&self, request: &mut Request) -> Response {
        let answer = match routes::find(self.routes, request.method, &request.path) {
            Some(route) => (route.handler)(self, request),
            None => Err(Refusal::UnknownPath(request.path.clone())),
        };
        self.finish(request, answer)
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

    /// Counts and logs. Query, header fields and body are not logged: they may hold secrets.
    fn finish(&self, request: &Request, answer: Result<Response, Refusal>) -> Response {
        let mut response = answer.unwrap_or_else(|refusal| {
            self.api.metrics.refused(refusal.kind());
            self.api.activity.refused(refusal.kind());
            self.api.refusal_log.note(request, &refusal);
            refusal.into()
        });
        if let Some(guard) = &self.guard {
            response.headers.extend(guard.shared_with(request));
        }
        if self.api.access_log {
            log::info!(
                "{} {} {} {} {}",
                request.client,
                request.method.name(),
                request.path,
                response.status,
                response.body.len()
            );
        }
        response
    }
}
