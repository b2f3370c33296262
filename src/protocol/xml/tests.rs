use proptest::prelude::*;

use super::*;

/// What the reader tells, as one line.
#[derive(Default)]
struct Transcript(String);

impl<'d> Sink<'d> for Transcript {
    type Error = XmlError;

    fn open(&mut self, name: &'d [u8], _: usize) -> Result<(), XmlError> {
        self.0 += &format!("{}{{", String::from_utf8_lossy(name));
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf<'d>, _: usize) -> Result<(), XmlError> {
        let name = String::from_utf8_lossy(leaf.name);
        self.0 += &format!("{name}={:?} ", leaf.text());
        Ok(())
    }

    fn close(&mut self) {
        self.0.push('}');
    }
}

fn read(document: &[u8], recovery: Recovery) -> Result<String, XmlError> {
    let mut transcript = Transcript::default();
    walk(document, recovery, &mut transcript)?;
    Ok(transcript.0)
}

#[test]
fn texts_are_read_however_they_are_written() {
    for (name, document, expected) in [
        ("empty document", "<xml></xml>", ""),
        ("empty root", "<xml/>", ""),
        (
            "declaration, mark and blanks",
            "\u{feff} <?xml version=\"1.0\"?>\n<!-- c --><xml><a>1</a></xml>\n<!-- c -->\n",
            "a=\"1\" ",
        ),
        (
            "sections and texts joined",
            "<xml><a>1<![CDATA[2]]>3<![CDATA[4]]></a></xml>",
            "a=\"1234\" ",
        ),
        (
            "blanks around a section",
            "<xml><Event>\n <![CDATA[ a b ]]> </Event></xml>",
            "Event=\"a b\" ",
        ),
        (
            "blanks in what people wrote",
            "<xml><Label>\n<![CDATA[ a ]]>\n</Label><Title> t </Title></xml>",
            "Label=\" a \" Title=\" t \" ",
        ),
        (
            "blanks between two sections",
            "<xml><Content><![CDATA[ a]]> <![CDATA[b ]]></Content></xml>",
            "Content=\" ab \" ",
        ),
        (
            "blanks around a number",
            "<xml><a> 123 </a></xml>",
            "a=\"123\" ",
        ),
        (
            "references",
            "<xml><a>&lt;&gt;&amp;&quot;&apos;&#65;&#x4E2D;</a></xml>",
            "a=\"<>&\\\"'A中\" ",
        ),
        (
            "a control character by reference",
            "<xml><a>x&#16;y</a></xml>",
            "a=\"xy\" ",
        ),
        (
            "what is no reference",
            "<xml><a>a&b &foo; &#xD800; &</a></xml>",
            "a=\"a&b &foo; &#xD800; &\" ",
        ),
        (
            "no references in sections",
            "<xml><a><![CDATA[&lt;]]></a></xml>",
            "a=\"&lt;\" ",
        ),
        (
            "control characters",
            "<xml><a>\u{10}x\u{1}</a>\u{2}<b><![CDATA[\u{0}y\u{fffe}\u{ffff}z]]></b></xml>",
            "a=\"x\" b=\"yz\" ",
        ),
        (
            "full-width forms",
            "<xml><a><![CDATA[（全角）]]></a></xml>",
            "a=\"（全角）\" ",
        ),
        (
            "brackets",
            "<xml><a><![CDATA[x]y]]z]]]]></a></xml>",
            "a=\"x]y]]z]]\" ",
        ),
        (
            "comments and instructions in a text",
            "<xml><a>1<!-- <b> -->2<?p ?>3</a></xml>",
            "a=\"123\" ",
        ),
        (
            "children",
            "<xml><a><b>1</b>\n<c/><d><e></e></d></a><a></a></xml>",
            "a{b=\"1\" c=\"\" d{e=\"\" }}a=\"\" ",
        ),
        (
            "attributes",
            "<xml k='>'><a k=\"</a>\" >1</a ><b k='v'/></xml>",
            "a=\"1\" b=\"\" ",
        ),
    ] {
        assert_eq!(
            read(document.as_bytes(), Recovery::Off).as_deref(),
            Ok(expected),
            "{name}"
        );
    }
    let broken = b"<xml><a><![CDATA[x\xE4\xB8]]></a></xml>";
    assert_eq!(
        read(broken, Recovery::Off).as_deref(),
        Ok("a=\"x\u{FFFD}\" ")
    );
}

#[test]
fn what_is_no_document_is_refused_with_its_reason() {
    let deep = format!("<xml>{}", "<a>".repeat(MAX_DEPTH));
    let many = format!("<xml>{}</xml>", "<a/>".repeat(MAX_ELEMENTS));
    let long = format!("<xml><a>{}</a></xml>", "x".repeat(MAX_TEXT_BYTES + 1));
    let longer = format!("<xml>{}</xml>", " ".repeat(MAX_DOCUMENT_BYTES));
    let name = format!("<xml><{}/></xml>", "n".repeat(MAX_NAME_BYTES + 1));
    for (document, error) in [
        ("", XmlError::NotXml),
        ("success", XmlError::NotXml),
        ("{\"a\":1}", XmlError::NotXml),
        ("<html></html>", XmlError::NotXml),
        ("<xmlx></xmlx>", XmlError::NotXml),
        ("<xml", XmlError::NotXml),
        ("<?xml", XmlError::NotXml),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><xml/>", XmlError::Doctype),
        (
            "<?xml version=\"1.0\"?> <!doctype x><xml/>",
            XmlError::Doctype,
        ),
        ("<xml><!DOCTYPE x></xml>", XmlError::Doctype),
        (&deep, XmlError::TooDeep),
        (&many, XmlError::TooMany),
        (&long, XmlError::TextTooLong),
        (&longer, XmlError::TooLong),
        (&name, XmlError::Tag { at: 5 }),
        ("<xml>", XmlError::Truncated),
        ("<xml><a>1</a>", XmlError::Truncated),
        ("<xml><a", XmlError::Truncated),
        ("<xml></xml", XmlError::Truncated),
        ("<xml><a><![CDATA[x</a></xml>", XmlError::Truncated),
        ("<xml><1a/></xml>", XmlError::Tag { at: 5 }),
        ("<xml>< a/></xml>", XmlError::Tag { at: 5 }),
        ("<xml><a <b/></a></xml>", XmlError::Tag { at: 5 }),
        ("<xml><!ELEMENT a></xml>", XmlError::Tag { at: 5 }),
        ("<xml><a></b></xml>", XmlError::Mismatch { at: 8 }),
        ("<xml><a></ab></xml>", XmlError::Mismatch { at: 8 }),
        ("<xml><a>1<b/></a></xml>", XmlError::Mixed { at: 13 }),
        ("<xml>text</xml>", XmlError::Mixed { at: 9 }),
        ("<xml></xml><xml></xml>", XmlError::Trailing { at: 11 }),
        ("<xml/>x", XmlError::Trailing { at: 6 }),
    ] {
        let start: String = document.chars().take(60).collect();
        assert_eq!(
            read(document.as_bytes(), Recovery::Off),
            Err(error),
            "{start}"
        );
    }
    let no_text = b"<xml><\xFF/><\xFE/></xml>";
    let tag = Err(XmlError::Tag { at: 5 });
    assert_eq!(read(no_text, Recovery::Off), tag, "a name that is no UTF-8");
}

#[test]
fn what_a_user_wrote_is_cut_out_up_to_the_last_end_of_content() {
    let document = |written: &str| {
        format!("<xml><a>1</a><Content><![CDATA[{written}]]></Content><b>2</b></xml>")
    };
    for (written, expected) in [
        ("", ""),
        (" x ", " x "),
        ("]]>", "]]>"),
        ("a]]]]><![CDATA[>b", "a]]>b"),
        ("a]]]]><![CDATA[>b]]]]><![CDATA[>", "a]]>b]]>"),
        (
            "x]]></Content><b>9</b><Content><![CDATA[y",
            "x]]></Content><b>9</b><Content><![CDATA[y",
        ),
        ("</xml><!DOCTYPE x>", "</xml><!DOCTYPE x>"),
        ("a\u{10}b", "ab"),
    ] {
        let expected = format!("a=\"1\" Content={expected:?} b=\"2\" ");
        assert_eq!(
            read(document(written).as_bytes(), Recovery::On),
            Ok(expected),
            "{written}"
        );
    }
    let deeper = "<xml><a><Content><![CDATA[x]]></Content></a><Content>y</Content></xml>";
    let expected = "a{Content=\"x\" }Content=\"y\" ";
    assert_eq!(
        read(deeper.as_bytes(), Recovery::On).as_deref(),
        Ok(expected)
    );
}

/// What documents are made of, and what breaks them.
const PIECES: &[&[u8]] = &[
    b"<xml>",
    b"</xml>",
    b"<Content>",
    b"</Content>",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"<a",
    b" k='",
    b"/>",
    b"</a>",
    b"&#x1F600;",
    b"&",
    b"\x10",
    b"\xE4\xB8",
    b"text",
    b" ",
    b"<!DOCTYPE",
    b"<",
    b"]",
];

proptest! {
    #[test]
    fn any_text_survives_a_section_with_recovery(written in any::<String>()) {
        prop_assume!(!written.contains("]]]]><![CDATA[>"));
        let document = format!("<xml><Content><![CDATA[{written}]]></Content></xml>");
        let expected: String = written.chars().filter(|c| {
            !matches!(c, '\u{FFFE}' | '\u{FFFF}') && (*c >= ' ' || "\t\n\r".contains(*c))
        }).collect();
        let read = read(document.as_bytes(), Recovery::On);
        prop_assert_eq!(read, Ok(format!("Content={expected:?} ")));
    }

    #[test]
    fn no_bytes_panic(
        pieces in proptest::collection::vec(
            proptest::sample::select(PIECES),
            0..24,
        ),
        noise in any::<Vec<u8>>(),
    ) {
        let mut document = b"<xml>".to_vec();
        pieces.iter().for_each(|piece| document.extend_from_slice(piece));
        for recovery in [Recovery::On, Recovery::Off] {
            drop(read(&document, recovery));
            drop(read(&noise, recovery));
        }
    }
}
