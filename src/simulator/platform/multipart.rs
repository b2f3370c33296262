//! Multipart bodies, read as strictly as the platform does.

use bytes::Bytes;

use super::Call;

/// One part of a multipart body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) file_name: Option<String>,
    pub(super) content: Bytes,
}

/// Parts that are looked at; a body of more is refused.
const MAX_PARTS: usize = 16;

/// Bytes of the head of one part.
const MAX_HEAD: usize = 4 * 1024;

/// The parts of a body; `None` when it is not well-formed multipart.
pub(super) fn parts(call: &Call) -> Option<Vec<Part>> {
    let boundary = boundary_of(&call.content_type)?;
    let delimiter = format!("\r\n--{boundary}");
    let first = &delimiter[2..];
    let mut rest = after(&call.body, first.as_bytes())?;
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        let body = rest.strip_prefix(b"\r\n")?;
        let end = memchr::memmem::find(body, delimiter.as_bytes())?;
        if parts.len() >= MAX_PARTS {
            return None;
        }
        parts.push(part(call, &body[..end])?);
        rest = &body[end + delimiter.len()..];
    }
}

fn after<'a>(body: &'a [u8], first: &[u8]) -> Option<&'a [u8]> {
    body.strip_prefix(first)
}

/// The boundary of `multipart/form-data; boundary=…`, quoted or not.
fn boundary_of(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        let value = value.trim_matches('"');
        name.eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    (1..=70).contains(&boundary.len()).then_some(boundary)
}

fn part(call: &Call, bytes: &[u8]) -> Option<Part> {
    let head_end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    if head_end > MAX_HEAD {
        return None;
    }
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    Some(Part {
        name: quoted(disposition, "name")?,
        file_name: quoted(disposition, "filename"),
        content: call.body.slice_ref(&bytes[head_end + 4..]),
    })
}

/// A parameter of a header in quotation marks, which a backslash hides.
fn quoted(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    let start = loop {
        let at = rest.find(name)?;
        let before = rest[..at].chars().next_back();
        let after = &rest[at + name.len()..];
        if before.is_none_or(|before| before == ' ' || before == ';')
            && let Some(value) = after.strip_prefix("=\"")
        {
            break value;
        }
        rest = after;
    };
    let mut value = String::new();
    let mut characters = start.chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            character => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(content_type: &str, body: &str) -> Call {
        Call {
            content_type: content_type.into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Call::default()
        }
    }

    #[test]
    fn parts_are_read_with_their_names_and_exact_bytes() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"media\"; filename=\"a \\\"b\\\".jpg\"\r\n\
                    Content-Type: image/jpeg\r\n\r\n\r\n--not\r\n\r\n--b\r\n\
                    content-disposition: form-data; name=\"description\"\r\n\r\n{}\r\n--b--\r\n";
        let read = parts(&call("multipart/form-data; boundary=\"b\"", body)).unwrap();
        let part = |name: &str, file_name: Option<&str>, content: &'static str| Part {
            name: name.into(),
            file_name: file_name.map(str::to_owned),
            content: Bytes::from_static(content.as_bytes()),
        };
        assert_eq!(
            read,
            [
                part("media", Some("a \"b\".jpg"), "\r\n--not\r\n"),
                part("description", None, "{}"),
            ]
        );
    }

    #[test]
    fn what_is_no_multipart_body_has_no_parts() {
        let head = "Content-Disposition: form-data; name=\"media\"\r\n\r\n";
        for (name, content_type, body) in [
            (
                "another type",
                "application/json; boundary=b",
                "--b--".to_owned(),
            ),
            ("no boundary", "multipart/form-data", "--b--".into()),
            (
                "another boundary",
                "multipart/form-data; boundary=c",
                "--b--".into(),
            ),
            (
                "no end",
                "multipart/form-data; boundary=b",
                format!("--b\r\n{head}x"),
            ),
            (
                "no name",
                "multipart/form-data; boundary=b",
                "--b\r\nA: b\r\n\r\nx\r\n--b--".into(),
            ),
            (
                "no head",
                "multipart/form-data; boundary=b",
                "--b\r\nx\r\n--b--".into(),
            ),
        ] {
            assert_eq!(parts(&call(content_type, &body)), None, "{name}");
        }
    }
}
