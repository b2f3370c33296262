//! What makes the state that handlers share: of nothing, or of settings of its own.

use std::error::Error;

use serde::de::DeserializeOwned;

use crate::config::{Faults, Own};

/// A function that makes the state which handlers share: `fn() -> Result<S, E>`, or
/// `fn(T) -> Result<S, E>`, where `T` is what stands in `[handlers]` of the configuration.
///
/// ```no_run
/// use std::convert::Infallible;
/// use serde::Deserialize;
/// use wxhook::{HandlerSecret, Router};
///
/// #[derive(Clone)]
/// struct Shop {
///     warehouse: String,
///     key: Option<HandlerSecret>,
/// }
///
/// #[derive(Deserialize)]
/// struct Settings {
///     warehouse: String,
///     key: Option<HandlerSecret>,
/// }
///
/// impl Shop {
///     fn open(settings: Settings) -> Result<Self, Infallible> {
///         let Settings { warehouse, key } = settings;
///         Ok(Self { warehouse, key })
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     wxhook::main(Router::new, Shop::open)
/// }
/// ```
///
/// The file then says `[handlers]` with `warehouse = "…"`; the key comes better by
/// `WXHOOK__HANDLERS__KEY_FILE`. A key that `T` does not have, or a value that it cannot take, stops the start, and is
/// told by `wxhook config check`, as for wxhook's own settings: [`Own::read`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a `{S}`",
    label = "this makes no state for a `Router<{S}>`",
    note = "it is a function of nothing, or of one value that can be read from `[handlers]` of the configuration (`serde::Deserialize`), and returns `Result<{S}, E>`"
)]
pub trait OpenState<S, Taken> {
    /// What it takes.
    type Settings;

    /// Reads what it takes.
    ///
    /// # Errors
    /// [`Faults`]: what is written in `[handlers]` is something else.
    fn settings(own: &Own) -> Result<Self::Settings, Faults>;

    /// Makes the state.
    ///
    /// # Errors
    /// The function's own; the server does not start then.
    fn open(self, settings: Self::Settings) -> Result<S, Box<dyn Error + Send + Sync>>;
}

impl<S, E, F> OpenState<S, ()> for F
where
    F: FnOnce() -> Result<S, E>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Settings = ();

    fn settings(own: &Own) -> Result<(), Faults> {
        own.read_nothing()
    }

    fn open(self, (): ()) -> Result<S, Box<dyn Error + Send + Sync>> {
        self().map_err(Into::into)
    }
}

impl<S, E, F, T> OpenState<S, (T,)> for F
where
    F: FnOnce(T) -> Result<S, E>,
    E: Into<Box<dyn Error + Send + Sync>>,
    T: DeserializeOwned,
{
    type Settings = T;

    fn settings(own: &Own) -> Result<T, Faults> {
        own.read()
    }

    fn open(self, settings: T) -> Result<S, Box<dyn Error + Send + Sync>> {
        self(settings).map_err(Into::into)
    }
}
