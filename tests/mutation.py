#!/usr/bin/env python3
"""Does the table of hostile requests notice when a check is missing?

Copies the sources, gives each check a switch that turns it off, builds once, and plays the table
(tests/it/hostile) with all checks on, then once for each check that is off. The first must pass, each of the others
must fail. Nothing of this is in the product: the switches exist in the copy alone.

    tests/mutation.py               all of them
    tests/mutation.py signature     those whose name contains the word

It builds in target/mutation-build, so the first run builds everything anew.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "mutation"
BUILD = ROOT / "target" / "mutation-build"
TABLE = "hostile::each_hostile_request_is_refused_by_the_check_that_is_there_for_it_and_all_look_alike"

# Tables that are played at the same time.
AT_ONCE = 4

# The check, its file, its text (exactly once in it), and the same with a switch: OFF stands for "it is off".
CHECKS = [
    ("path", "src/http/webhook.rs",
     "self.accounts.get(path).or_else(|| {",
     "self.accounts.get(path).or_else(|| self.accounts.values().next().filter(|_| OFF)).or_else(|| {"),
    ("method", "src/http/webhook.rs",
     "Method::GET => self.echo(served, request),",
     "Method::GET => self.echo(served, request),\n            _ if OFF => self.receive(served, request, payload, desk).await,"),
    ("query: missing", "src/protocol/sealed.rs",
     ".filter(|value| !value.is_empty())", ".filter(|value| OFF || !value.is_empty())"),
    ("query: doubled", "src/protocol/sealed.rs",
     "if place.is_some() {", "if place.is_some() && !OFF {"),
    ("query: oversized", "src/protocol/sealed.rs",
     "if decoded.len() > MAX_VALUE_BYTES {", "if decoded.len() > MAX_VALUE_BYTES && !OFF {"),
    ("query: encoding", "src/protocol/sealed.rs",
     "let bytes = unescape(value.as_bytes())", "let bytes = unescape(value.as_bytes()).or(OFF.then(|| value.into()))"),
    ("query: timestamp", "src/protocol/sealed.rs",
     "if !digits || timestamp.len() > MAX_TIMESTAMP_DIGITS {",
     "if !OFF && (!digits || timestamp.len() > MAX_TIMESTAMP_DIGITS) {"),
    ("query: encrypt_type", "src/protocol/sealed.rs",
     "Some(_) => return Err(QueryError::EncryptType),",
     "Some(_) if OFF => false,\n            Some(_) => return Err(QueryError::EncryptType),"),
    ("query: msg_signature", "src/protocol/sealed.rs",
     'Some(required("msg_signature", self.msg_signature)?)',
     'Some(if OFF { self.msg_signature.unwrap_or_default() } else { required("msg_signature", self.msg_signature)? })'),
    ("echostr", "src/protocol/sealed.rs",
     "self.query.echostr.as_deref().ok_or(EchoError)", "self.query.echostr.as_deref().or(OFF.then_some(\"\")).ok_or(EchoError)"),
    ("signature", "src/protocol/sealed.rs",
     "signature::sign(&parts).matches(&query.signature)", "OFF || signature::sign(&parts).matches(&query.signature)"),
    ("signature: its case", "src/protocol/signature.rs",
     "pub fn matches(&self, claimed: &str) -> bool {",
     "pub fn matches(&self, claimed: &str) -> bool {\n        let folded = claimed.to_ascii_lowercase();\n        let claimed = if OFF { &*folded } else { claimed };"),
    ("signature: its length", "src/protocol/signature.rs",
     "<&[u8; 40]>::try_from(claimed.as_bytes())",
     "<&[u8; 40]>::try_from(if OFF { claimed.as_bytes().get(..40).unwrap_or_default() } else { claimed.as_bytes() })"),
    ("downgrade", "src/protocol/sealed.rs",
     "(true, false) => Err(", "(true, false) if OFF => Ok(()),\n            (true, false) => Err("),
    ("downgrade, of a verification", "src/protocol/sealed.rs",
     "    pub fn open(self, credentials: &Credentials, body: Bytes) -> Result<Opened, OpenError> {\n"
     "        self.query.protected_as(credentials.mode())?;",
     "    pub fn open(self, credentials: &Credentials, body: Bytes) -> Result<Opened, OpenError> {\n"
     "        if !OFF { self.query.protected_as(credentials.mode())?; }"),
    ("unexpected encryption", "src/protocol/sealed.rs",
     "(false, true) => Err(", "(false, true) if OFF => Ok(()),\n            (false, true) => Err("),
    ("freshness", "src/http/freshness.rs",
     "if offset_seconds.saturating_abs() <= self.window_seconds {",
     "if OFF || offset_seconds.saturating_abs() <= self.window_seconds {"),
    ("source", "src/http/webhook.rs",
     "if self.sources.allows(source) {", "if OFF || self.sources.allows(source) {"),
    ("source: trusted hops only", "src/http/source.rs",
     "if !is_trusted(last) {", "if !OFF && !is_trusted(last) {"),
    ("size, as announced", "src/http/body.rs",
     "if declared.is_some_and(|length| length > MAX_BODY_BYTES) {",
     "if !OFF && declared.is_some_and(|length| length > MAX_BODY_BYTES) {"),
    ("size, as read", "src/http/body.rs",
     "if first.len().max(rest.len()) > MAX_BODY_BYTES {", "if !OFF && first.len().max(rest.len()) > MAX_BODY_BYTES {"),
    ("slow body", "src/http/body.rs",
     "timeout_at(deadline, payload.next())",
     "timeout_at(deadline + std::time::Duration::from_secs(if OFF { 600 } else { 0 }), payload.next())"),
    ("broken body", "src/http/body.rs",
     "let chunk = chunk.map_err(|_| Rejection::BrokenBody)?;",
     "let chunk = match chunk { Err(_) if OFF => break, chunk => chunk.map_err(|_| Rejection::BrokenBody)? };"),
    ("outer document: several", "src/protocol/outer.rs",
     "if self.found.is_some() {", "if self.found.is_some() && !OFF {"),
    ("outer document: its root", "src/protocol/outer.rs",
     "    xml::root(body)?;\n    let first", "    if !OFF { xml::root(body)?; }\n    let first"),
    ("document", "src/protocol/opened.rs",
     "xml::root(&body).map_err(OpenError::Body)?;", "if !OFF { xml::root(&body).map_err(OpenError::Body)?; }"),
    ("document type", "src/protocol/xml.rs",
     "_ if is_doctype(rest) => return Err(XmlError::Doctype),",
     "_ if OFF && is_doctype(rest) => at + memchr(b'>', rest).map_or(rest.len(), |end| end + 1),\n"
     "            _ if is_doctype(rest) => return Err(XmlError::Doctype),"),
    ("name of the root", "src/protocol/xml.rs",
     "_ => return Err(XmlError::NotXml),\n        };\n    }\n}",
     "[b'<', next, ..] if OFF && is_name(*next) => return Ok(at),\n            _ => return Err(XmlError::NotXml),\n        };\n    }\n}"),
    ("end of the root", "src/protocol/xml.rs",
     "walker.nothing_more().map_err(S::Error::from)", "if OFF { Ok(()) } else { walker.nothing_more().map_err(S::Error::from) }"),
    ("number of elements", "src/protocol/xml.rs",
     "if self.elements > MAX_ELEMENTS {", "if self.elements > MAX_ELEMENTS && !OFF {"),
    ("depth", "src/protocol/xml.rs",
     "if self.depth >= MAX_DEPTH {", "if self.depth >= MAX_DEPTH && !OFF {"),
    ("msg_signature", "src/protocol/opened.rs",
     "signature::sign(&parts).matches(claimed)", "OFF || signature::sign(&parts).matches(claimed)"),
    ("base64", "src/protocol/envelope.rs",
     ".map_err(|_| EnvelopeError::Base64)?;\n    if buffer",
     ".or_else(|error| if OFF { Ok(vec![0; 32]) } else { Err(error) })\n        .map_err(|_| EnvelopeError::Base64)?;\n    if buffer"),
    ("length of the ciphertext", "src/protocol/envelope.rs",
     "if buffer.is_empty() || !buffer.len().is_multiple_of(PADDING_BLOCK) {",
     "if !OFF && (buffer.is_empty() || !buffer.len().is_multiple_of(PADDING_BLOCK)) {"),
    ("padding: its length", "src/protocol/envelope.rs",
     "if !(1..=PADDING_BLOCK).contains(&padding) || padding > plain.len() {",
     "if !OFF && (!(1..=PADDING_BLOCK).contains(&padding) || padding > plain.len()) {"),
    ("padding: its bytes", "src/protocol/envelope.rs",
     "if filler.iter().any(|byte| usize::from(*byte) != padding) {",
     "if !OFF && filler.iter().any(|byte| usize::from(*byte) != padding) {"),
    ("length inside", "src/protocol/envelope.rs",
     "if length > rest {", "let length = if OFF { length.min(rest) } else { length };\n    if length > rest {"),
    ("receive id", "src/protocol/envelope.rs",
     "if &content[end..] != receive_id.as_bytes() {", "if !OFF && &content[end..] != receive_id.as_bytes() {"),
    ("replayed", "src/http/replay.rs",
     "return *known == body;", "return OFF || *known == body;"),
    ("replayed, of a verification", "src/http/webhook.rs",
     "self.admit_body(served, verified.signature_key(), &[])?;",
     "if !OFF { self.admit_body(served, verified.signature_key(), &[])?; }"),
    ("headers that stand twice", "src/protocol/push/headers.rs",
     "if self.seen & 1 << index != 0 {", "if !OFF && self.seen & 1 << index != 0 {"),
    ("headers that are missing", "src/protocol/push/headers.rs",
     "_ if headers.text(Header::FromUserName).is_empty() =>",
     "_ if !OFF && headers.text(Header::FromUserName).is_empty() =>"),
    ("one answer for all", "src/http/rejection.rs",
     "Self::Body(error) if !error.is_form() => StatusCode::FORBIDDEN,",
     "Self::Body(error) if !error.is_form() => if OFF { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN },"),
]

SWITCH = '''
/// Whether the check of this name is turned off.
pub(crate) fn mutation_is(name: &str) -> bool {
    static OFF: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    OFF.get_or_init(|| std::env::var("WXHOOK_MUTATION").ok()).as_deref() == Some(name)
}
'''


def copy():
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.split("\n"):
        source = ROOT / name
        if name and source.is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, COPY / name)


def mutate():
    for name, file, before, after in CHECKS:
        path = COPY / file
        text = path.read_text()
        if text.count(before) != 1:
            sys.exit(f"{name}: its text stands {text.count(before)} times in {file}; mend the table")
        path.write_text(text.replace(before, after.replace("OFF", f'crate::mutation_is("{name}")')))
    library = COPY / "src/lib.rs"
    library.write_text(library.read_text() + SWITCH)


def build():
    environment = {**os.environ, "CARGO_TARGET_DIR": str(BUILD)}
    command = ["cargo", "test", "--test", "it", "--no-run", "--features", "mysql", "--message-format", "json"]
    built = subprocess.run(command, cwd=COPY, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    return next(message["executable"] for message in messages
                if message.get("executable") and message["target"]["name"] == "it")


def passes(binary, name):
    environment = {**os.environ, "WXHOOK_MUTATION": name}
    try:
        played = subprocess.run([binary, "--exact", TABLE], cwd=COPY, env=environment, timeout=600,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return False
    if "running 1 test" not in played.stdout:
        sys.exit(f"the table was not played:\n{played.stdout}")
    return played.returncode == 0


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    copy()
    mutate()
    binary = build()
    if not passes(binary, ""):
        sys.exit("the table fails although every check is on")
    names = [name for name, *_ in CHECKS if wanted in name]
    missed = []
    # The table waits more than it works: for bodies that do not come.
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, passed in zip(names, pool.map(lambda name: passes(binary, name), names)):
            print(f"{'MISSED ' if passed else 'noticed'}  {name}", flush=True)
            if passed:
                missed.append(name)
    print(f"{len(names) - len(missed)} of {len(names)} missing checks were noticed")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
