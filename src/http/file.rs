//! Files for operators, with this server's token and quotas: `POST /v1/media/{account}` uploads one,
//! `GET /v1/media/{account}` and `GET /v1/qr/{account}` download. The commands use them.

use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::admin::Admin;
use super::api::{read, refused_call, told};
use crate::api::{Api, ApiHandle, Fetch, PutOrder, Upload};
use crate::platform::download::Download;

/// Files that are uploaded at once: each is held in memory whole, at most 10 MiB, so that it can be
/// sent once more when the first try fails.
pub(super) const UPLOADS_AT_ONCE: usize = 2;

/// How long a file may wait for its turn, and how long it may take to come.
const UPLOAD_TIME: Duration = Duration::from_secs(30);

/// Bytes of the longest file that is passed on. None is held in memory whole.
pub(crate) const MAX_DOWNLOAD_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    media_id: String,
    #[serde(default)]
    permanent: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    ticket: String,
}

/// How long a body says that it is.
fn announced(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or_default()
}

/// Why a request is not carried out.
struct Wrong {
    status: u16,
    error: String,
}

impl From<Wrong> for HttpResponse {
    fn from(wrong: Wrong) -> Self {
        told(wrong.status, wrong.error)
    }
}

fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Wrong> {
    let parsed = Query::<T>::from_query(request.query_string());
    parsed.map(Query::into_inner).map_err(|error| Wrong {
        status: 400,
        error: error.to_string(),
    })
}

impl Admin {
    fn way_out(&self, account: &str) -> Result<ApiHandle, Wrong> {
        let parts = self.parts();
        let Some(account) = parts.central.account(account).cloned() else {
            let error = format!("no account {account:?} with an AppSecret is configured");
            return Err(Wrong { status: 404, error });
        };
        let runtime = parts.central.runtime().clone();
        Ok(ApiHandle::new(Api::clone(&parts.api), account, runtime))
    }

    /// The account for whose sake a file is uploaded, if that is what an operator asks.
    pub(super) fn upload_to<'r>(&self, request: &'r HttpRequest) -> Option<&'r str> {
        let is_post = request.method() == actix_web::http::Method::POST;
        let account = request.path().strip_prefix("/v1/media/")?;
        (is_post && self.is_admin(request)).then_some(account)
    }

    /// Uploads the body of a request.
    pub(super) async fn upload(
        &self,
        account: &str,
        request: &HttpRequest,
        payload: Payload,
    ) -> HttpResponse {
        match self.uploaded(account, request, payload).await {
            Ok(response) | Err(response) => response,
        }
    }

    async fn uploaded(
        &self,
        account: &str,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<HttpResponse, HttpResponse> {
        let handle = self.way_out(account)?;
        let order: PutOrder = query(request)?;
        let busy = |_| told(503, "other files are being uploaded; try again".to_owned());
        let turn = timeout(UPLOAD_TIME, self.uploads().acquire());
        let _turn = turn.await.map_err(busy)?;
        let limit = usize::try_from(order.kind.max_bytes()).unwrap_or(usize::MAX);
        let content = match timeout(UPLOAD_TIME, read(payload, limit, announced(request))).await {
            Ok(Ok(Some(content))) => content,
            Ok(Ok(None)) => {
                let kind = order.kind.name();
                let error = format!("media has more than {limit} bytes, which is all of {kind}");
                return Err(told(413, error));
            }
            Ok(Err(error)) => return Err(told(400, error.to_string())),
            Err(_elapsed) => return Err(told(408, "the file came too slowly".to_owned())),
        };
        let media = Upload::bytes(&*order.name, content);
        let (api, account) = handle.parts();
        let put = handle.run(async move { api.put(&account, &order, media).await });
        match put.await {
            Ok(answer) => Ok(HttpResponse::Ok().json(serde_json::json!({ "answer": answer }))),
            Err(error) => Err(refused_call("media", &error)),
        }
    }

    /// Passes on a file of the platform as it comes.
    pub(super) async fn media(&self, account: &str, request: &HttpRequest) -> HttpResponse {
        match query::<Wanted>(request) {
            Ok(Wanted {
                media_id,
                permanent,
            }) => {
                let wanted = Fetch::Media {
                    media_id,
                    permanent,
                };
                self.pass_on(account, wanted).await
            }
            Err(wrong) => wrong.into(),
        }
    }

    /// Passes on the picture of a QR code.
    pub(super) async fn qr(&self, account: &str, request: &HttpRequest) -> HttpResponse {
        match query::<Shown>(request) {
            Ok(Shown { ticket }) => self.pass_on(account, Fetch::Qr { ticket }).await,
            Err(wrong) => wrong.into(),
        }
    }

    async fn pass_on(&self, account: &str, wanted: Fetch) -> HttpResponse {
        let handle = match self.way_out(account) {
            Ok(handle) => handle,
            Err(wrong) => return wrong.into(),
        };
        let (api, account) = handle.parts();
        let fetched = handle.run(async move { api.fetched(&account, &wanted).await });
        match fetched.await {
            Ok(file) => streamed(file),
            Err(error) => refused_call("a download", &error),
        }
    }
}

/// A file that breaks off breaks the connection: whoever reads it sees that it is not whole.
fn streamed(file: Download) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type(
        file.content_type
            .as_deref()
            .unwrap_or("application/octet-stream"),
    );
    let length = file.length;
    let chunks = file.chunks(MAX_DOWNLOAD_BYTES);
    match length {
        Some(length) => response.body(SizedStream::new(length, Box::pin(chunks))),
        None => response.streaming(Box::pin(chunks)),
    }
}
