//! A language model's service that answers as it is told to by the question.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

/// A sentence of 54 bytes.
pub(super) const SENTENCE: &str = "这是一句不长也不短的话，说的是天气。";

#[derive(Default)]
struct Seen {
    /// Every request: its `Authorization` and its body.
    asked: Vec<(String, Value)>,
    /// Questions whose connection was closed by the one who asked, before the answer's end.
    left: Vec<String>,
    /// How often each question was put.
    times: HashMap<String, u32>,
    is_open: bool,
}

/// It, on a socket of its own; each connection has one question.
pub(super) struct Model {
    pub(super) url: String,
    seen: Arc<(Mutex<Seen>, Condvar)>,
}

impl Model {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new((Mutex::default(), Condvar::new()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&shared);
                std::thread::spawn(move || serve(connection, &seen));
            }
        });
        Self { url, seen }
    }

    /// Lets the answers go on that wait at the gate.
    pub(super) fn open_gate(&self) {
        self.seen.0.lock().unwrap().is_open = true;
        self.seen.1.notify_all();
    }

    /// What was asked with this question, in order.
    pub(super) fn asked(&self, question: &str) -> Vec<(String, Value)> {
        let seen = self.seen.0.lock().unwrap();
        let asked = seen.asked.iter().filter(|(_, body)| last(body) == question);
        asked.cloned().collect()
    }

    /// Whether the asker hung up in the middle of this answer.
    pub(super) fn was_left(&self, question: &str) -> bool {
        let seen = self.seen.0.lock().unwrap();
        seen.left.iter().any(|left| left == question)
    }
}

fn last(body: &Value) -> String {
    let messages = body["messages"].as_array().unwrap();
    let last = messages.last().unwrap();
    last["content"].as_str().unwrap().to_owned()
}

fn event(text: &str) -> String {
    let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": text } }] });
    format!("data: {chunk}\n\n")
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";
const END: &str =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn serve(mut connection: TcpStream, seen: &(Mutex<Seen>, Condvar)) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                value.clone_into(&mut key);
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let question = last(&body);
    let time = {
        let mut seen = seen.0.lock().unwrap();
        seen.asked.push((key, body));
        let times = seen.times.entry(question.clone()).or_default();
        *times += 1;
        *times
    };
    let mut say = |text: &str| connection.write_all(text.as_bytes()).is_ok();
    let refuse = |status: &str, more: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\n{more}Content-Type: application/json\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )
    };
    match question.as_str() {
        "gate" => {
            say(&format!("{HEAD}{}", event(&SENTENCE.repeat(7))));
            let is_closed = |seen: &mut Seen| !seen.is_open;
            drop(
                seen.1
                    .wait_while(seen.0.lock().unwrap(), is_closed)
                    .unwrap(),
            );
            say(&format!("{}{END}", event(&SENTENCE.repeat(3))));
        }
        "cut" => {
            say(&format!("{HEAD}{}", event("说到一半")));
        }
        "stall" => {
            say(&format!("{HEAD}{}", event("说到这里")));
            // Until the other side has had enough.
            drop(reader.read(&mut [0]));
            seen.0.lock().unwrap().left.push(question);
        }
        "endless" => {
            say(HEAD);
            while say(&event(SENTENCE)) {}
            seen.0.lock().unwrap().left.push(question);
        }
        "busy" if time == 1 => {
            let body = r#"{"error":{"message":"slow down","type":"rate_limit_exceeded"}}"#;
            say(&refuse("429 Too Many Requests", "Retry-After: 1\r\n", body));
        }
        "broken" if time == 1 => {
            say(&refuse("500 Internal Server Error", "", "<html>oops"));
        }
        "denied" => {
            let quoted = r#"{"error":{"message":"wrong key sk-hush","code":"invalid_api_key"}}"#;
            say(&refuse("401 Unauthorized", "", quoted));
        }
        "page" => {
            say(&refuse("200 OK", "", "{}"));
        }
        "garbage" => {
            say(&format!("{HEAD}\u{0}\u{1}\ndata: <<<\n\n"));
        }
        _ => {
            say(&format!(
                "{HEAD}: keep-alive\n\n{}{}{END}",
                event("答："),
                event(&question)
            ));
        }
    }
}
