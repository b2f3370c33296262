//! Files on the way to WeChat and back, as they are read: never whole in memory.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};
use serde_json::Value;

use super::{Door, PATIENCE, Server, Way, refused, unread, whole};
use crate::api::{Fetch, PutOrder, Refusal, Upload};
use crate::platform::exchange::push_parameter;
use crate::transport::{Body, Method, Request, Transport as _, TransportError};

/// How long a file may stand still while it comes: longer than the server lets it.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Bytes of the longest file that is fetched.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A file that comes from the platform.
pub(in crate::cli) struct Incoming {
    /// What it is, like `image/jpeg`.
    pub(in crate::cli) content_type: Option<String>,
    /// How many bytes were announced.
    length: Option<u64>,
    chunks: BoxStream<'static, Result<Bytes, String>>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// Uploads a file, and tells what the platform calls it.
    pub(in crate::cli) fn put(&self, order: &PutOrder, media: &Upload) -> Result<Value, Refusal> {
        self.runtime.block_on(async {
            match &self.way {
                Way::Server(server) => server.put(order, media).await,
                Way::Here { direct, account } => {
                    let put = direct.api.put(account, order, media.clone());
                    put.await.map_err(|error| Refusal::from(&error))
                }
            }
        })
    }

    /// Begins to download a file.
    pub(in crate::cli) fn fetch(&self, wanted: &Fetch) -> Result<Incoming, Refusal> {
        self.runtime.block_on(async {
            match &self.way {
                Way::Server(server) => server.fetch(wanted).await,
                Way::Here { direct, account } => {
                    let file = direct.api.fetched(account, wanted).await;
                    let file = file.map_err(|error| Refusal::from(&error))?;
                    Ok(Incoming {
                        content_type: file.content_type.clone(),
                        length: file.length,
                        chunks: file
                            .chunks(MAX_FILE_BYTES)
                            .map(|chunk| chunk.map_err(|error| error.to_string()))
                            .boxed(),
                    })
                }
            }
        })
    }

    /// The next piece of a file; `None` after the last one.
    pub(in crate::cli) fn next(&self, file: &mut Incoming) -> Option<Result<Bytes, String>> {
        self.runtime.block_on(file.chunks.next())
    }
}

impl Server {
    async fn put(&self, order: &PutOrder, media: &Upload) -> Result<Value, Refusal> {
        let mut path = format!("/v1/media/{}", self.account);
        push_parameter(&mut path, "kind", order.kind.name());
        push_parameter(&mut path, "name", &order.name);
        push_parameter(&mut path, "permanent", &order.permanent.to_string());
        for (name, value) in [
            ("title", &order.title),
            ("introduction", &order.introduction),
        ] {
            if let Some(value) = value {
                push_parameter(&mut path, name, value);
            }
        }
        let body = Body::Stream {
            length: media.length(),
            chunks: media.chunks(),
        };
        self.asked(self.request(Method::Post, &path, body, PATIENCE))
            .await
    }

    async fn fetch(&self, wanted: &Fetch) -> Result<Incoming, Refusal> {
        let account = &self.account;
        let path = match wanted {
            Fetch::Media {
                media_id,
                permanent,
            } => {
                let mut path = format!("/v1/media/{account}");
                push_parameter(&mut path, "media_id", media_id);
                push_parameter(&mut path, "permanent", &permanent.to_string());
                path
            }
            Fetch::Qr { ticket } => {
                let mut path = format!("/v1/qr/{account}");
                push_parameter(&mut path, "ticket", ticket);
                path
            }
        };
        let request = self.request(Method::Get, &path, Body::Empty, PATIENCE);
        self.file(request).await.map_err(|error| match error {
            Failed::Refused(refusal) => refusal,
            Failed::Way(error) => Refusal {
                surely_not_executed: error.surely_not_executed(),
                ..unread(format!("the server at {}: {error}", self.base))
            },
        })
    }

    async fn file(&self, request: Request) -> Result<Incoming, Failed> {
        let response = self.transport.send(request).await.map_err(Failed::Way)?;
        let status = response.status;
        if status != 200 {
            let body = whole(response).await.map_err(Failed::Way)?;
            return Err(Failed::Refused(refused(status, &body)));
        }
        Ok(Incoming {
            content_type: response.content_type,
            length: response.content_length,
            chunks: paced(response.body),
        })
    }
}

/// Why no file comes.
enum Failed {
    Refused(Refusal),
    Way(TransportError),
}

/// A stream that ends with an error when it stands still.
fn paced(
    chunks: BoxStream<'static, Result<Bytes, TransportError>>,
) -> BoxStream<'static, Result<Bytes, String>> {
    let next = |chunks: Option<BoxStream<'static, Result<Bytes, TransportError>>>| async move {
        let mut chunks = chunks?;
        match tokio::time::timeout(STANDSTILL, chunks.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(chunk))) => Some((Ok(chunk), Some(chunks))),
            Ok(Some(Err(error))) => Some((Err(error.to_string()), None)),
            Err(_elapsed) => Some((
                Err(format!("nothing came for {} s", STANDSTILL.as_secs())),
                None,
            )),
        }
    };
    futures_util::stream::unfold(Some(chunks), next).boxed()
}
