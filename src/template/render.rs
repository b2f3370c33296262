//! One template becomes one message.

use minijinja::value::{Serde, Value as Shown};
use minijinja::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Map, Value};

use super::check::{UseError, told, without_place};
use super::name::Becomes;
use super::{Locale, MAX_OUTPUT_BYTES, Scope, Templates};
use crate::protocol::message::{Message, MessageError, ReadError};

/// A reply that a template words: its name and what it is to say.
///
/// ```
/// use serde::Serialize;
/// use wxhook::Render;
///
/// #[derive(Serialize)]
/// struct Sent {
///     order: u64,
/// }
///
/// async fn shipped() -> Render {
///     Render::new("shipped.txt", Sent { order: 1001 }).locale("zh_TW")
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Render {
    name: String,
    with: Result<Value, String>,
    locale: Option<String>,
}

impl Render {
    /// A template's name and what it needs: a struct or a map, or `()` when it needs nothing.
    pub fn new(name: impl Into<String>, with: impl Serialize) -> Self {
        Self {
            name: name.into(),
            with: serde_json::to_value(with).map_err(|error| error.to_string()),
            locale: None,
        }
    }

    /// In this language (`zh_CN`, `zh_TW`, `en`), if the template has a file for it; else in that of
    /// the account, else in the file for everybody.
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// The template's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a template came to no message. Trying again does not help: mend the template, or what it is given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// There is no such template, or what it needs was not given.
    #[error(transparent)]
    Use(#[from] UseError),
    /// What it is given is neither a struct nor a map, or cannot be written down.
    #[error("{template}: what it is given {problem}")]
    With {
        /// The template.
        template: String,
        /// What is wrong.
        problem: String,
    },
    /// A name in it stands for nothing: most often a field that this kind of push does not have.
    #[error("{file}:{line}: {problem}")]
    Undefined {
        /// The file, which may be an included one.
        file: String,
        /// The line in it.
        line: usize,
        /// Which name.
        problem: String,
    },
    /// It could not be rendered.
    #[error("{file}:{line}: {problem}")]
    Failed {
        /// The file, which may be an included one.
        file: String,
        /// The line in it.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// It came to more than [`MAX_OUTPUT_BYTES`].
    #[error("{template}: comes to {length} bytes; at most {MAX_OUTPUT_BYTES} are allowed")]
    TooLong {
        /// The template.
        template: String,
        /// What it came to.
        length: usize,
    },
    /// A `.json` template came to something else.
    #[error("{template}: comes to no JSON: {problem}")]
    NotJson {
        /// The template.
        template: String,
        /// What is wrong.
        problem: String,
    },
    /// It came to JSON that is no message.
    #[error("{template}: {source}")]
    Read {
        /// The template.
        template: String,
        /// What is wrong.
        source: ReadError,
    },
    /// The platform would refuse the message.
    #[error("{template}: {source}; {}", source.remedy())]
    Message {
        /// The template.
        template: String,
        /// Why.
        source: MessageError,
    },
}

impl Templates {
    /// Renders a template; `None` when a text came to nothing, so that nothing is said.
    ///
    /// # Errors
    /// [`RenderError`]: first what is missing, then what happens in the template, then what it comes to.
    pub fn render(&self, render: &Render, scope: &Scope) -> Result<Option<Message>, RenderError> {
        let name = render.name();
        let template = self.find(name)?;
        let mut values = given(render)?;
        if let Some(variable) = template
            .needs
            .iter()
            .find(|need| !values.contains_key(*need))
        {
            return Err(RenderError::Use(UseError::Missing {
                template: name.to_owned(),
                variable: variable.clone(),
            }));
        }
        values.extend(scope.values().clone());
        let asked = render.locale.as_deref();
        let asked = asked.and_then(|locale| Locale::parse(locale).ok());
        let file = asked
            .as_ref()
            .into_iter()
            .chain(scope.language())
            .find_map(|locale| {
                let exact = template.locales.get(locale);
                exact.or_else(|| template.locales.get(&locale.wider()?))
            });
        let file = file.map_or(name, String::as_str);
        let environment = self.environment(template.becomes);
        let shown = environment
            .get_template(file)
            .and_then(|template| template.render(Shown::from(Serde(&values))))
            .map_err(|error| failed(&error, file))?;
        if shown.len() > MAX_OUTPUT_BYTES {
            return Err(RenderError::TooLong {
                template: file.to_owned(),
                length: shown.len(),
            });
        }
        let message = match template.becomes {
            Becomes::Text => match shown.trim_matches(['\n', '\r', ' ', '\t']) {
                "" => return Ok(None),
                text => Message::from(text),
            },
            Becomes::Json => read(file, &shown)?,
        };
        Ok(Some(message))
    }
}

/// What a render brings along.
fn given(render: &Render) -> Result<Map<String, Value>, RenderError> {
    let wrong = |problem: &str| RenderError::With {
        template: render.name.clone(),
        problem: problem.to_owned(),
    };
    match &render.with {
        Ok(Value::Object(values)) => Ok(values.clone()),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(wrong("is neither a struct nor a map")),
        Err(problem) => Err(wrong(problem)),
    }
}

fn read(file: &str, shown: &str) -> Result<Message, RenderError> {
    let template = || file.to_owned();
    let value = serde_json::from_str::<Value>(shown).map_err(|error| RenderError::NotJson {
        template: template(),
        problem: without_place(&error),
    })?;
    let message = Message::from_json(&value).map_err(|source| RenderError::Read {
        template: template(),
        source,
    })?;
    match message.check_unsplit() {
        Err(source) => Err(RenderError::Message {
            template: template(),
            source,
        }),
        Ok(()) => Ok(message),
    }
}

/// The innermost error: what happened in an included file is told of that file.
fn failed(error: &Error, file: &str) -> RenderError {
    let mut innermost = error;
    while let Some(cause) = std::error::Error::source(innermost)
        && let Some(cause) = cause.downcast_ref::<Error>()
    {
        innermost = cause;
    }
    let (line, problem) = told(innermost);
    let file = innermost.name().unwrap_or(file).to_owned();
    match innermost.kind() {
        ErrorKind::UndefinedError => RenderError::Undefined {
            file,
            line,
            problem,
        },
        _ => RenderError::Failed {
            file,
            line,
            problem,
        },
    }
}
