//! Fake API: what the API server does with one object, for tests that need its faults: versions, conflicts,
//! no answer. The real one is in the cluster's tests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

/// An object behind an API server. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct FakeApi(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    object: Option<Value>,
    version: u64,
    /// Who wrote, in order: the bodies.
    writes: Vec<Value>,
    is_away: bool,
    /// What every request gets instead of an answer.
    refusal: Option<StatusCode>,
}

impl FakeApi {
    pub(crate) fn with(object: Value) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            object: Some(object),
            version: 1,
            writes: Vec::new(),
            is_away: false,
            refusal: None,
        })))
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = service_fn(move |request| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// From now on no request is answered, or all are again.
    pub(crate) fn is_away(&self, is_away: bool) {
        self.lock().is_away = is_away;
    }

    pub(crate) fn refuse(&self, status: Option<StatusCode>) {
        self.lock().refusal = status;
    }

    /// Someone else writes.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut inner = self.lock();
        inner.version += 1;
        edit(inner.object.get_or_insert_default());
    }

    pub(crate) fn delete(&self) {
        self.lock().object = None;
    }

    pub(crate) fn object(&self) -> Value {
        self.lock().object.clone().unwrap_or_default()
    }

    pub(crate) fn writes(&self) -> Vec<Value> {
        self.lock().writes.clone()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if self.lock().is_away {
            std::future::pending::<()>().await;
        }
        let body = body.collect_bytes().await.expect("a body in memory");
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut inner = self.lock();
        if let Some(refusal) = inner.refusal {
            return failure(refusal);
        }
        let Some(object) = inner.object.clone() else {
            return failure(StatusCode::NOT_FOUND);
        };
        let version = inner.version.to_string();
        let mut new = match parts.method {
            Method::GET => object,
            _ if body["metadata"]["resourceVersion"] != json!(version) => {
                return failure(StatusCode::CONFLICT);
            }
            Method::PATCH => {
                let mut object = object;
                object["data"] = body["data"].clone();
                object
            }
            _ => body.clone(),
        };
        if parts.method != Method::GET {
            inner.version += 1;
            inner.object = Some(new.clone());
            inner.writes.push(body);
        }
        new["metadata"]["resourceVersion"] = json!(inner.version.to_string());
        Response::new(Body::from(new.to_string().into_bytes()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(code: StatusCode) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": code.canonical_reason(), "reason": code.canonical_reason().map(|reason| reason.replace(' ', "")),
        "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()));
    *response.status_mut() = code;
    response
}
