//! The metrics listener: one page, and health.

use std::sync::Arc;

use crate::api::guard::{Guard, Scope};
use crate::api::refusal::Refusal;
use crate::api::{Api, BodyRule, Service};
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::metrics::Metrics;

/// Serves `/metrics`, and `/healthcheck` for probes that have no client certificate.
pub(super) struct MetricsPage {
    pub(super) metrics: Arc<Metrics>,
    pub(super) guard: Guard,
    pub(super) api: Arc<Api>,
}

const HEALTHCHECK: &str = "/healthcheck";

/// The media type of Prometheus' text in the form of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Service for MetricsPage {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        if request.path == HEALTHCHECK {
            self.api.admit(request)
        } else {
            self.judge(request).map_err(Response::from)
        }
    }

    fn answer(&self, request: &mut Request) -> Response {
        if request.path == HEALTHCHECK {
            self.api.answer(request)
        } else {
            Response::new(200, OPEN_METRICS, self.metrics.text().into_bytes())
        }
    }
}

impl MetricsPage {
    fn judge(&self, request: &Request) -> Result<BodyRule, Refusal> {
        self.guard.admit_host(request)?;
        if request.path != "/metrics" {
            return Err(Refusal::UnknownPath(request.path.clone()));
        }
        self.guard.admit_token(request, Scope::Everything)?;
        if matches!(request.method, Method::Get | Method::Head) {
            Ok(BodyRule::default())
        } else {
            Err(Refusal::Method("GET, HEAD"))
        }
    }
}
