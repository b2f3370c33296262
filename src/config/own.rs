//! `[handlers]`: the settings of the user's own code, read as a type of that code.
//!
//! wxhook does not know them. It lays them in layers as its own, says where each was written, and finds
//! the ones that nobody reads: whatever serde skips, its reader did not know.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, MapAccess};
use serde::de::{IntoDeserializer as _, Unexpected, Visitor};

use super::environment;
use super::fault::{Fault, Faults, Origin};
use super::nearest::{nearest, remedy};
use super::raw::Entry;
use super::written::Written;

/// The section that is the handlers' own.
const SECTION: &str = "handlers";

/// Whether a key is the handlers' own.
fn is_own(key: &str) -> bool {
    key.strip_prefix(SECTION)
        .is_some_and(|rest| rest.starts_with('.'))
}

/// What stands in `[handlers]`, over all layers. Its `Debug` shows no value: it may be a secret.
#[derive(Clone, Default)]
pub struct Own {
    entries: BTreeMap<String, Entry>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl Own {
    /// Takes what is the handlers' own.
    pub(super) fn of(entries: &BTreeMap<String, Entry>) -> Self {
        let own = entries.iter().filter(|(key, _)| is_own(key));
        Self {
            entries: own
                .map(|(key, entry)| (key.clone(), entry.clone()))
                .collect(),
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// Reads the section as `T`, a struct with a field for each key or table below `[handlers]`.
    ///
    /// Fields are texts, numbers, `bool`, lists of texts, enums of plain names, and structs of these; an
    /// `Option` is `None` of an empty text, and `#[serde(default)]` is what a key that is not written has.
    /// A variable of the environment is read as what its field wants; for a list it is separated by commas.
    /// A secret belongs into a [`HandlerSecret`](crate::secret::HandlerSecret).
    ///
    /// # Errors
    /// [`Faults`], with their origins and without the values: every key that `T` does not know; or the first value that it
    /// cannot take, with the unknown keys found before it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Faults> {
        let strangers = RefCell::default();
        let read = T::deserialize(Place {
            own: self,
            path: SECTION.to_owned(),
            siblings: &[],
            strangers: &strangers,
        });
        let strangers: Vec<Stranger> = strangers.into_inner();
        let mut faults: Vec<Fault> = strangers.iter().map(|found| self.unknown(found)).collect();
        match read {
            Ok(read) if faults.is_empty() => return Ok(read),
            Ok(_) => {}
            Err(wrong) => faults.insert(0, self.fault(wrong)),
        }
        Err(Faults(faults))
    }

    /// For a program whose handlers take no settings.
    ///
    /// # Errors
    /// [`Faults`]: every key that is written.
    pub fn read_nothing(&self) -> Result<(), Faults> {
        /// No settings at all.
        #[derive(serde::Deserialize)]
        struct Nothing {}
        self.read::<Nothing>().map(|Nothing {}| ())
    }

    fn origin(&self, key: &str) -> Origin {
        let entry = self.entries.get(key);
        entry.map_or(Origin::Default, |entry| entry.origin.clone())
    }

    fn unknown(&self, found: &Stranger) -> Fault {
        let (above, _) = found.key.rsplit_once('.').unwrap_or_default();
        let known: Vec<String> = found
            .siblings
            .iter()
            .map(|name| format!("{above}.{name}"))
            .collect();
        let near = nearest(&found.key, known.iter().map(String::as_str));
        let origin = self.origin(&found.key);
        Fault {
            key: found.key.clone(),
            remedy: remedy(near, &origin, "remove it"),
            origin,
            value: None,
            problem: "is not a setting of this program's handlers".to_owned(),
        }
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        let key = wrong.key.unwrap_or_else(|| SECTION.to_owned());
        let variable = environment::variable_of(&key);
        Fault {
            origin: self.origin(&key),
            value: None,
            problem: wrong.problem,
            remedy: format!("set it in a file or by {variable}, as the handlers want it"),
            key,
        }
    }
}

/// A key that was written and that nobody reads, and the names that are known in its place.
struct Stranger {
    key: String,
    siblings: &'static [&'static str],
}

/// Why a value was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
struct Wrong {
    /// Set where the value stands.
    key: Option<String>,
    /// The name below it that is meant.
    below: Option<String>,
    /// Never with the value in it.
    problem: String,
}

impl Wrong {
    fn new(problem: String) -> Self {
        Self {
            key: None,
            below: None,
            problem,
        }
    }

    fn below(name: &str, problem: &str) -> Self {
        Self {
            below: Some(name.to_owned()),
            ..Self::new(problem.to_owned())
        }
    }

    /// What failed stands here, unless that is known better.
    fn at(mut self, path: &str) -> Self {
        let below = self.below.take();
        self.key.get_or_insert_with(|| match below {
            Some(name) => format!("{path}.{name}"),
            None => path.to_owned(),
        });
        self
    }
}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(_value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("is not {expected}"))
    }

    fn invalid_value(_value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("is not {expected}"))
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("is none of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _expected: &'static [&'static str]) -> Self {
        Self::below(field, "is not a setting of this program's handlers")
    }

    fn missing_field(field: &'static str) -> Self {
        Self::below(field, "is missing")
    }
}

/// A key or a table, on its way into a type.
struct Place<'a> {
    own: &'a Own,
    path: String,
    /// The names that are known beside it.
    siblings: &'static [&'static str],
    strangers: &'a RefCell<Vec<Stranger>>,
}

impl Place<'_> {
    fn written(&self) -> Option<&Written> {
        self.own.entries.get(&self.path).map(|entry| &entry.written)
    }

    /// The text that a variable of the environment has in the place of a number, a flag or a list.
    fn text(&self) -> Option<&str> {
        match self.written()? {
            Written::Text(text) => Some(text.trim()),
            _ => None,
        }
    }

    /// The names of keys and tables below it.
    fn names(&self) -> BTreeSet<String> {
        let below = |key: &String| {
            let rest = key.strip_prefix(&self.path)?.strip_prefix('.')?;
            Some(rest.split('.').next()?.to_owned())
        };
        self.own.entries.keys().filter_map(below).collect()
    }

    fn table<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let names: Vec<String> = self.names().into_iter().collect();
        let path = self.path.clone();
        let table = Table {
            place: self,
            names: names.into_iter(),
            fields,
            next: None,
        };
        visitor.visit_map(table).map_err(|wrong| wrong.at(&path))
    }
}

macro_rules! from_text {
    ($($method:ident as $type:ty: $visit:ident),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self.text().and_then(|text| text.parse::<$type>().ok()) {
                Some(value) => visitor.$visit(value).map_err(|wrong: Wrong| wrong.at(&self.path)),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Place<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Some(written) = self.written() else {
            return self.table(&[], visitor);
        };
        let value = match written {
            Written::Text(text) => visitor.visit_str(text),
            Written::Number(number) => visitor.visit_i64(*number),
            Written::Decimal(text) => match text.parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(Wrong::new("is not a number".to_owned())),
            },
            Written::Flag(flag) => visitor.visit_bool(*flag),
            Written::List(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.iter().map(String::as_str)))
            }
            Written::Other(kind) => Err(Wrong::new(format!("is {kind}, which nothing takes"))),
        };
        value.map_err(|wrong| wrong.at(&self.path))
    }

    from_text! {
        deserialize_bool as bool: visit_bool,
        deserialize_i8 as i64: visit_i64,
        deserialize_i16 as i64: visit_i64,
        deserialize_i32 as i64: visit_i64,
        deserialize_i64 as i64: visit_i64,
        deserialize_u8 as u64: visit_u64,
        deserialize_u16 as u64: visit_u64,
        deserialize_u32 as u64: visit_u64,
        deserialize_u64 as u64: visit_u64,
        deserialize_f32 as f64: visit_f64,
        deserialize_f64 as f64: visit_f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.text() {
            Some("") => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Some(text) = self.text() else {
            return self.deserialize_any(visitor);
        };
        let items = text.split(',').map(str::trim);
        let items = items.filter(|item| !item.is_empty());
        let read = visitor.visit_seq(SeqDeserializer::new(items));
        read.map_err(|wrong: Wrong| wrong.at(&self.path))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.written() {
            Some(_) => self.deserialize_any(visitor),
            None => self.table(fields, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Some(text) = self.text() else {
            return self.deserialize_any(visitor);
        };
        let text: StrDeserializer<'_, Wrong> = text.into_deserializer();
        visitor
            .visit_enum(text)
            .map_err(|wrong| wrong.at(&self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let below = format!("{}.", self.path);
        let is_here = |key: &&String| **key == self.path || key.starts_with(&below);
        let found = self.own.entries.keys().filter(is_here).map(|key| Stranger {
            key: key.clone(),
            siblings: match *key == self.path {
                true => self.siblings,
                false => &[],
            },
        });
        self.strangers.borrow_mut().extend(found);
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple_struct identifier
    }
}

/// The keys and tables below a table.
struct Table<'a> {
    place: Place<'a>,
    names: std::vec::IntoIter<String>,
    fields: &'static [&'static str],
    next: Option<String>,
}

impl<'de> MapAccess<'de> for Table<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        self.next = self.names.next();
        let Some(name) = &self.next else {
            return Ok(None);
        };
        let name: StrDeserializer<'_, Wrong> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let name = self.next.take().unwrap_or_default();
        let path = format!("{}.{name}", self.place.path);
        let place = Place {
            own: self.place.own,
            path: path.clone(),
            siblings: self.fields,
            strangers: self.place.strangers,
        };
        seed.deserialize(place).map_err(|wrong| wrong.at(&path))
    }
}
