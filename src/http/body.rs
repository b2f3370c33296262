//! The body of a request, within its bounds.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Payload;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::time::{Instant, timeout_at};

use super::MAX_BODY_BYTES;
use super::rejection::Rejection;

/// Reads the whole body, or as much as shows that it is too much.
pub(super) async fn read_body(
    request: &HttpRequest,
    mut payload: Payload,
    deadline: Instant,
) -> Result<Bytes, Rejection> {
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(Rejection::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = timeout_at(deadline, payload.next())
        .await
        .map_err(|_| Rejection::SlowBody)?
    {
        let chunk = chunk.map_err(|_| Rejection::BrokenBody)?;
        if first.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
        if first.len().max(rest.len()) > MAX_BODY_BYTES {
            return Err(Rejection::TooLarge);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}
