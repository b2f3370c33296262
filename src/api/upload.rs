//! What is uploaded: a file as it is read, in the one shape of multipart that the platform takes, with
//! its exact length. It can be begun anew for each try; memory holds a piece of it at a time.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _};

use crate::api::RequestError;
use crate::api::endpoint::Outgoing;
use crate::platform::exchange::{OpenStream, Payload};

/// Bytes of a file that are read at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes of the longest name of a file.
const MAX_FILE_NAME_BYTES: usize = 255;

/// Why a file cannot be uploaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no file.
    #[error("{path} is no file, or its name is no UTF-8")]
    NoFile {
        /// Its path.
        path: String,
    },
}

/// A file for the platform.
#[derive(Clone)]
pub struct Upload {
    file_name: Arc<str>,
    content_type: &'static str,
    length: u64,
    open: OpenStream,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Upload {
    /// Bytes in memory, under a name whose extension says what they are. They leave piece by piece, so
    /// that nothing on the way to the socket copies them whole.
    pub fn bytes(file_name: impl Into<Arc<str>>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = bytes.len();
        let open = move || {
            let bytes = bytes.clone();
            let pieces = (0..length).step_by(PIECE_BYTES);
            let piece = move |from| Ok(bytes.slice(from..length.min(from + PIECE_BYTES)));
            futures_util::stream::iter(pieces.map(piece)).boxed()
        };
        Self::stream(file_name, length as u64, open)
    }

    /// A stream of exactly `length` bytes that can be begun anew, for a try after the first one. One of
    /// another length makes the call fail.
    pub fn stream(
        file_name: impl Into<Arc<str>>,
        length: u64,
        open: impl Fn() -> BoxStream<'static, io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let file_name = file_name.into();
        Self {
            content_type: content_type(&file_name),
            file_name,
            length,
            open: Arc::new(open),
        }
    }

    /// A file, which is opened anew for each try. Blocks for a moment while its length is asked for.
    ///
    /// Must be sent within a tokio runtime: its blocking threads read the file.
    ///
    /// # Errors
    /// [`UploadError`] when it is not there, or no file.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, UploadError> {
        let path: Arc<Path> = path.as_ref().into();
        let shown = path.display().to_string();
        let about = match std::fs::metadata(&path) {
            Ok(about) => about,
            Err(source) => {
                return Err(UploadError::Unreadable {
                    path: shown,
                    source,
                });
            }
        };
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|_| about.is_file()) else {
            return Err(UploadError::NoFile { path: shown });
        };
        let file_name = name.to_owned();
        let open = move || pieces(Arc::clone(&path));
        Ok(Self::stream(file_name, about.len(), open))
    }

    /// How many bytes it has.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The same file under another name.
    pub(crate) fn renamed(&self, file_name: impl Into<Arc<str>>) -> Self {
        let file_name = file_name.into();
        Self {
            content_type: content_type(&file_name),
            file_name,
            length: self.length,
            open: Arc::clone(&self.open),
        }
    }

    /// The bytes, from the first one on.
    pub(crate) fn chunks(&self) -> BoxStream<'static, io::Result<Bytes>> {
        (self.open)()
    }

    /// The extension of its name, in lower case.
    fn extension(&self) -> String {
        match self.file_name.rsplit_once('.') {
            Some((_, extension)) => extension.to_ascii_lowercase(),
            None => String::new(),
        }
    }

    /// Refuses an empty file, one of more than `most` bytes, and one whose name has another extension.
    pub(super) fn check(&self, most: u64, extensions: &[&str]) -> Result<(), RequestError> {
        let fault = |text: String| Err(RequestError::new("media", text));
        if self.length == 0 {
            return fault("is empty".to_owned());
        }
        if self.length > most {
            return fault(format!(
                "has {} bytes; at most {most} are allowed",
                self.length
            ));
        }
        if self.file_name.len() > MAX_FILE_NAME_BYTES {
            return fault(format!(
                "has a name of more than {MAX_FILE_NAME_BYTES} bytes"
            ));
        }
        if !extensions.contains(&self.extension().as_str()) {
            let known = extensions.join(", ");
            return fault(format!("has a name that ends in none of {known}"));
        }
        Ok(())
    }

    /// The body: the file as the part `media`, and a `description` behind it if there is one.
    pub(super) fn outgoing(&self, description: Option<&[u8]>) -> Result<Outgoing, RequestError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| RequestError::new("media", format!("no randomness: {error}")))?;
        let mark = format!("wxhook-{:032x}", u128::from_be_bytes(random));
        let head = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{}\"\r\n\
             Content-Type: {}\r\n\r\n",
            escaped(&self.file_name),
            self.content_type
        );
        let mut tail = Vec::new();
        if let Some(description) = description {
            let head = format!(
                "\r\n--{mark}\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n"
            );
            tail.extend_from_slice(head.as_bytes());
            tail.extend_from_slice(description);
        }
        tail.extend_from_slice(format!("\r\n--{mark}--\r\n").as_bytes());
        let (head, tail) = (Bytes::from(head), Bytes::from(tail));
        let length = head.len() as u64 + self.length + tail.len() as u64;
        let open = Arc::clone(&self.open);
        let whole = move || {
            let (head, tail) = (head.clone(), tail.clone());
            futures_util::stream::once(async move { Ok(head) })
                .chain(open())
                .chain(futures_util::stream::once(async move { Ok(tail) }))
                .boxed()
        };
        Ok(Outgoing {
            payload: Payload::Stream {
                content_type: format!("multipart/form-data; boundary={mark}").into(),
                length,
                open: Arc::new(whole),
            },
            ..Outgoing::nothing()
        })
    }
}

/// As browsers write names: UTF-8, with what would end the text or the line percent-encoded.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => escaped.push_str("%22"),
            c if c.is_control() => escaped.push('_'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The type that belongs to a name's extension.
fn content_type(file_name: &str) -> &'static str {
    let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
    match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "amr" => "audio/amr",
        "mp3" => "audio/mpeg",
        "wma" => "audio/x-ms-wma",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

/// A file, piece by piece; each is read when it is wanted.
fn pieces(path: Arc<Path>) -> BoxStream<'static, io::Result<Bytes>> {
    enum State {
        Closed(Arc<Path>),
        Open(File),
    }
    let step = |state: Option<State>| async move {
        let state = state?;
        let reading = tokio::task::spawn_blocking(move || {
            let mut file = match state {
                State::Closed(path) => File::open(path)?,
                State::Open(file) => file,
            };
            let mut piece = vec![0; PIECE_BYTES];
            let length = file.read(&mut piece)?;
            piece.truncate(length);
            Ok::<_, io::Error>((Bytes::from(piece), file))
        });
        match reading.await.map_err(io::Error::other).flatten() {
            Ok((piece, _)) if piece.is_empty() => None,
            Ok((piece, file)) => Some((Ok(piece), Some(State::Open(file)))),
            Err(error) => Some((Err(error), None)),
        }
    };
    futures_util::stream::unfold(Some(State::Closed(path)), step).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sent(upload: &Upload, description: Option<&[u8]>) -> (String, Vec<u8>) {
        let outgoing = upload.outgoing(description).unwrap();
        let Payload::Stream {
            content_type,
            length,
            open,
        } = outgoing.payload
        else {
            panic!("no stream");
        };
        let mut tries = Vec::new();
        for _ in 0..2 {
            let pieces: Vec<_> = open().collect().await;
            tries.push(
                pieces
                    .into_iter()
                    .flat_map(|piece| piece.unwrap())
                    .collect::<Vec<u8>>(),
            );
        }
        assert_eq!(tries[0], tries[1], "a second try sends the same");
        assert_eq!(tries[0].len() as u64, length);
        let mark = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        (mark.to_owned(), tries.remove(0))
    }

    #[tokio::test]
    async fn a_file_goes_out_in_the_one_shape_that_the_platform_takes() {
        let upload = Upload::bytes("a \"b\"\r\n图.jpg", "bytes");
        let (mark, body) = sent(&upload, Some(b"{\"title\":\"t\"}")).await;
        let expected = format!(
            "--{mark}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a %22b%22__图.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\nbytes\r\n--{mark}\r\n\
             Content-Disposition: form-data; name=\"description\"\r\n\r\n{{\"title\":\"t\"}}\r\n--{mark}--\r\n"
        );
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_file_is_read_in_pieces_and_anew_for_each_try() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.mp4");
        let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(&path, &content).unwrap();
        let upload = Upload::file(&path).unwrap();
        assert_eq!(upload.length(), 1_200_000);
        let (_, body) = sent(&upload, None).await;
        let at = body.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        assert!(body[at..].starts_with(&content));
        std::fs::remove_file(&path).unwrap();
        let Payload::Stream { open, .. } = upload.outgoing(None).unwrap().payload else {
            panic!("no stream");
        };
        let pieces: Vec<_> = open().collect().await;
        assert_eq!(pieces.iter().filter(|piece| piece.is_err()).count(), 1);
    }

    #[test]
    fn what_cannot_be_taken_is_refused_with_its_reason() {
        let said = |upload: Upload| {
            upload
                .check(10, &["jpg", "png"])
                .map_err(|error| error.to_string())
        };
        assert_eq!(said(Upload::bytes("a.JPG", "x")), Ok(()));
        for (upload, expected) in [
            (Upload::bytes("a.jpg", ""), "media is empty"),
            (
                Upload::bytes("a.jpg", "12345678901"),
                "media has 11 bytes; at most 10 are allowed",
            ),
            (
                Upload::bytes("jpg", "x"),
                "media has a name that ends in none of jpg, png",
            ),
            (
                Upload::bytes(format!("{}.jpg", "a".repeat(252)), "x"),
                "media has a name of more than 255 bytes",
            ),
        ] {
            assert_eq!(said(upload).unwrap_err(), expected);
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(
            Upload::file(folder.path()),
            Err(UploadError::NoFile { .. })
        ));
        let missing = folder.path().join("a.jpg");
        assert!(matches!(
            Upload::file(missing),
            Err(UploadError::Unreadable { .. })
        ));
    }
}
