//! What a file is, by its first bytes, and by its name where they say nothing.

use crate::api::media::MediaKind;

/// As many bytes of a file as tell what it is.
pub(super) const BEGINNING_BYTES: usize = 16;

/// What a file is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// The extensions of its name; the first is the usual one.
    extensions: &'static [&'static str],
    kind: MediaKind,
    begins: fn(&[u8]) -> bool,
}

/// What WeChat takes in one place or another.
const FORMATS: &[Format] = &[
    Format {
        extensions: &["png"],
        kind: MediaKind::Image,
        begins: |bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
    },
    Format {
        extensions: &["jpg", "jpeg"],
        kind: MediaKind::Image,
        begins: |bytes| bytes.starts_with(b"\xff\xd8\xff"),
    },
    Format {
        extensions: &["gif"],
        kind: MediaKind::Image,
        begins: |bytes| bytes.starts_with(b"GIF8"),
    },
    Format {
        extensions: &["bmp"],
        kind: MediaKind::Image,
        begins: |bytes| bytes.starts_with(b"BM"),
    },
    Format {
        extensions: &["amr"],
        kind: MediaKind::Voice,
        begins: |bytes| bytes.starts_with(b"#!AMR"),
    },
    Format {
        extensions: &["wav"],
        kind: MediaKind::Voice,
        begins: |bytes| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE"),
    },
    Format {
        extensions: &["wma"],
        kind: MediaKind::Voice,
        begins: |bytes| bytes.starts_with(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    },
    Format {
        extensions: &["mp4"],
        kind: MediaKind::Video,
        begins: |bytes| bytes.get(4..8) == Some(b"ftyp"),
    },
    // The last: a frame without a tag begins with no more than eleven set bits.
    Format {
        extensions: &["mp3"],
        kind: MediaKind::Voice,
        begins: |bytes| {
            bytes.starts_with(b"ID3")
                || matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 != 0)
        },
    },
];

impl Format {
    /// What the first bytes say.
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        FORMATS
            .iter()
            .find(|format| (format.begins)(beginning))
            .copied()
    }

    /// What the name says.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        FORMATS
            .iter()
            .find(|format| format.extensions.contains(&extension.as_str()))
            .copied()
    }

    /// What it is to WeChat, as long as nobody says that a picture is a thumb.
    pub(super) const fn kind(self) -> MediaKind {
        self.kind
    }

    /// The name under which it is uploaded: WeChat goes by the extension.
    pub(super) fn name_for(self, name: &str) -> String {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        let extension = extension.unwrap_or_default().to_ascii_lowercase();
        match self.extensions {
            known if known.contains(&extension.as_str()) => name.to_owned(),
            [usual, ..] => format!("{name}.{usual}"),
            [] => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_says_what_a_file_is_and_the_name_where_it_says_nothing() {
        for (beginning, name, kind, expected) in [
            (
                &b"\x89PNG\r\n\x1a\n0000"[..],
                "a.png",
                MediaKind::Image,
                "a.png",
            ),
            (
                b"\x89PNG\r\n\x1a\n0000",
                "a.jpg",
                MediaKind::Image,
                "a.jpg.png",
            ),
            (b"\xff\xd8\xff\xe0", "photo", MediaKind::Image, "photo.jpg"),
            (b"\xff\xd8\xff\xe0", "A.JPEG", MediaKind::Image, "A.JPEG"),
            (b"GIF89a", "a.gif", MediaKind::Image, "a.gif"),
            (b"#!AMR\n", "v", MediaKind::Voice, "v.amr"),
            (b"RIFF\0\0\0\0WAVEfmt ", "v.wav", MediaKind::Voice, "v.wav"),
            (b"\0\0\0\x20ftypisom", "v.mp4", MediaKind::Video, "v.mp4"),
            (b"ID3\x03", "v.mp3", MediaKind::Voice, "v.mp3"),
            (b"\xff\xfb\x90", "v.mp3", MediaKind::Voice, "v.mp3"),
            (b"????", "v.amr", MediaKind::Voice, "v.amr"),
        ] {
            let format = Format::of(beginning)
                .or_else(|| Format::named(name))
                .unwrap();
            assert_eq!(
                (format.kind(), format.name_for(name).as_str()),
                (kind, expected),
                "{name}"
            );
        }
        for (beginning, name) in [
            (&b""[..], "a"),
            (b"RIFF\0\0\0\0WEBP", "a.webp"),
            (b"%PDF", "a.pdf"),
        ] {
            let format = Format::of(beginning).or_else(|| Format::named(name));
            assert!(format.is_none(), "{name}: {format:?}");
        }
    }
}
