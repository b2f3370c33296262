//! Asking the platform as a careful caller does.

use super::*;

/// A platform, a token for it, and a second that moves by hand.
pub(super) struct Desk {
    pub(super) platform: Platform,
    pub(super) token: String,
    pub(super) second: i64,
}

impl Desk {
    pub(super) fn of(settings: Settings) -> Self {
        let settings = Settings {
            token_lifetime_seconds: 100_000_000,
            ..settings
        };
        let mut platform = Platform::new(settings, 7);
        let (token, _) = token(&mut platform, 0, &stable(false));
        Self {
            platform,
            token,
            second: 0,
        }
    }

    /// Everybody follows.
    pub(super) fn open() -> Self {
        Self::of(settings())
    }

    /// Only these follow.
    pub(super) fn with_followers(open_ids: &[&str]) -> Self {
        let known = open_ids.iter().map(|open_id| OpenId::new(*open_id));
        let mut settings = settings();
        settings.accounts[0].users = Users::Known(known.collect());
        Self::of(settings)
    }

    pub(super) fn now(&self) -> Timestamp {
        at(self.second)
    }

    pub(super) fn answer(&mut self, call: &Call) -> Answer {
        let now = self.now();
        self.platform.handle(now, call)
    }

    fn query(&self, query: &str) -> String {
        format!("access_token={}&{query}", self.token)
    }

    /// What a POST of JSON gets, as JSON.
    pub(super) fn post(&mut self, path: &str, body: Value) -> Value {
        let call = post(path, &self.query(""), &body.to_string());
        serde_json::from_str(&self.answer(&call).body).unwrap()
    }

    /// The code that a POST of JSON gets; 0 when none stands in the answer.
    pub(super) fn code(&mut self, path: &str, body: Value) -> i64 {
        let answer = self.post(path, body);
        answer["errcode"].as_i64().unwrap_or(0)
    }

    pub(super) fn get_call(&self, path: &str, query: &str) -> Call {
        Call {
            method: "GET".into(),
            path: path.into(),
            host: "wechat.test:80".into(),
            query: self.query(query),
            ..Call::default()
        }
    }

    /// What a GET gets, as JSON.
    pub(super) fn get(&mut self, path: &str, query: &str) -> Value {
        let call = self.get_call(path, query);
        let answer = self.answer(&call);
        serde_json::from_str(&answer.body).expect(&answer.body)
    }

    /// A multipart body with a file in the field `media`, and what else is given.
    pub(super) fn upload_call(
        &self,
        path: &str,
        query: &str,
        file_name: &str,
        content: &[u8],
        description: Option<&str>,
    ) -> Call {
        let mut body = format!(
            "--b0\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{file_name}\"\r\n\r\n"
        )
        .into_bytes();
        body.extend(content);
        if let Some(description) = description {
            let part = format!(
                "\r\n--b0\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\n{description}"
            );
            body.extend(part.as_bytes());
        }
        body.extend(b"\r\n--b0--\r\n");
        Call {
            content_type: "multipart/form-data; boundary=b0".into(),
            body: body.into(),
            ..post(path, &self.query(query), "")
        }
    }

    pub(super) fn upload(&mut self, path: &str, query: &str, name: &str, content: &[u8]) -> Value {
        let call = self.upload_call(path, query, name, content, None);
        serde_json::from_str(&self.answer(&call).body).unwrap()
    }

    pub(super) fn look(&mut self, shelf: Shelf) -> Value {
        let now = self.now();
        self.platform.look(now, None, shelf).unwrap()
    }

    pub(super) fn arrange(&mut self, arrangement: Value) {
        let arrangement = serde_json::from_value(arrangement).unwrap();
        let now = self.now();
        self.platform.arrange(now, None, arrangement).unwrap();
    }
}
