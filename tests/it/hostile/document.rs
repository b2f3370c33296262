//! Documents that are none, or bombs, or want us to fetch something.

use std::net::SocketAddr;

use wxhook::metric::Check;
use wxhook::protocol::Mode;

use super::stage::{By, Row, push, right, text_message};

/// `listener` must never be called.
pub(super) fn rows(mode: Mode, listener: SocketAddr) -> Vec<Row> {
    let good = text_message();
    let of = |name: &str, document: &str| {
        let (query, body) = right(mode, document);
        // What is sealed was written by the platform: it is ours, however strange.
        let by = match mode {
            Mode::Plain => By::Check(Check::Document),
            Mode::Secure | Mode::Compatible => By::Malformed,
        };
        let status = if mode == Mode::Plain { 400 } else { 200 };
        Row::new(name, push(&query, &body), status, by)
    };
    let billion: String = (1..10)
        .map(|level| {
            let before = level - 1;
            let ten = format!("&l{before};").repeat(10);
            format!("<!ENTITY l{level} \"{ten}\">")
        })
        .collect();
    let mut rows = vec![
        of("empty", ""),
        of("blanks", " \r\n\t "),
        of("JSON", "{\"MsgType\":\"text\"}"),
        of("a form", "MsgType=text&Content=x"),
        of("HTML", "<!doctype html><html></html>"),
        of("noise", "\u{1}\u{2}\u{3}"),
        of("an end tag", "</xml>"),
        of("another root", &good.replace("xml>", "html>")),
        of("the root in capitals", &good.replace("xml>", "XML>")),
        of("a comment alone", "<!-- <xml></xml> -->"),
        of("a processing instruction alone", "<?xml version=\"1.0\"?>"),
        of("a document type", &format!("<!DOCTYPE xml>{good}")),
        of(
            "a document type in small letters",
            &format!("<!doctype xml>{good}"),
        ),
        of(
            "a document type behind a declaration",
            &format!("<?xml version=\"1.0\"?><!DOCTYPE xml>{good}"),
        ),
        of(
            "a document type behind a comment",
            &format!("<!-- x --><!DOCTYPE xml>{good}"),
        ),
        of(
            "a billion laughs",
            &format!(
                "<!DOCTYPE xml [<!ENTITY l0 \"ha\">{billion}]>{}",
                good.replace("你好", "&l9;")
            ),
        ),
        of(
            "a quadratic blow-up",
            &format!(
                "<!DOCTYPE xml [<!ENTITY a \"{}\">]><xml><Content>{}</Content></xml>",
                "a".repeat(10_000),
                "&a;".repeat(1_000)
            ),
        ),
        of(
            "a file as entity",
            &format!(
                "<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><Content>&e;</Content>{}</xml>",
                ""
            ),
        ),
        of(
            "an address as entity",
            &format!(
                "<!DOCTYPE xml [<!ENTITY e SYSTEM \"http://{listener}/e\">]><xml><Content>&e;</Content></xml>"
            ),
        ),
        of(
            "an address as document type",
            &format!("<!DOCTYPE xml SYSTEM \"http://{listener}/dtd\">{good}"),
        ),
        of(
            "an address as public document type",
            &format!("<!DOCTYPE xml PUBLIC \"-//x\" \"http://{listener}/dtd\">{good}"),
        ),
        of(
            "an address as parameter entity",
            &format!("<!DOCTYPE xml [<!ENTITY % p SYSTEM \"http://{listener}/p\"> %p;]>{good}"),
        ),
        of(
            "an entity that calls itself",
            "<!DOCTYPE xml [<!ENTITY a \"&b;\"><!ENTITY b \"&a;\">]><xml><Content>&a;</Content></xml>",
        ),
    ];
    let malformed = |name: &str, document: &str| {
        let (query, body) = right(mode, document);
        Row::new(name, push(&query, &body), 200, By::Malformed)
    };
    let doubled = |element: &str, value: &str| {
        let second = format!("<{element}>{value}</{element}></xml>");
        malformed(
            &format!("{element} twice"),
            &good.replace("</xml>", &second),
        )
    };
    let without = |element: &str| {
        let renamed = good
            .replace(&format!("<{element}>"), "<x>")
            .replace(&format!("</{element}>"), "</x>");
        malformed(&format!("no {element}"), &renamed)
    };
    rows.extend([
        malformed("no end", good.strip_suffix("</xml>").unwrap()),
        malformed("something behind it", &format!("{good}<x/>")),
        malformed("crossed tags", &good.replace("</MsgId></xml>", "</xml></MsgId>")),
        malformed("very deep", &good.replace("</xml>", &format!("{}{}</xml>", "<a>".repeat(1_000), "</a>".repeat(1_000)))),
        malformed("very many elements", &good.replace("</xml>", &format!("{}</xml>", "<a/>".repeat(9_000)))),
        malformed("a very long name", &good.replace("</xml>", &format!("<{}/></xml>", "a".repeat(1_000)))),
        malformed("an inclusion", &format!("<xml><xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"http://{listener}/x\"/></xml>")),
        malformed("a style sheet", &format!("<?xml-stylesheet href=\"http://{listener}/s\"?><xml></xml>")),
        malformed("an empty document", "<xml></xml>"),
        malformed("a root that closes itself", "<xml/>"),
        doubled("FromUserName", "victim"),
        doubled("ToUserName", "gh_9"),
        doubled("MsgType", "event"),
        doubled("CreateTime", "9"),
        doubled("MsgId", "9"),
        without("FromUserName"),
        without("MsgType"),
    ]);
    rows
}
