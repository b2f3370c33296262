//! Named groups as a serde value: all of them are text, and numbers are read from it.

use std::fmt;

use serde::de::value::{Error, MapDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

/// Fills a struct from names and texts.
pub(super) fn read<T: DeserializeOwned>(captures: &[(String, String)]) -> Result<T, Error> {
    let groups = captures
        .iter()
        .map(|(name, text)| (name.as_str(), Group { name, text }));
    T::deserialize(MapDeserializer::new(groups))
}

/// One group that matched.
#[derive(Clone, Copy)]
struct Group<'a> {
    name: &'a str,
    text: &'a str,
}

impl Group<'_> {
    fn parse<T: std::str::FromStr>(self) -> Result<T, Error>
    where
        T::Err: fmt::Display,
    {
        self.text
            .parse()
            .map_err(|error| de::Error::custom(format_args!("group {:?}: {error}", self.name)))
    }
}

impl<'de> IntoDeserializer<'de, Error> for Group<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident => $visit:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parse()?)
        })*
    };
}

impl<'de> Deserializer<'de> for Group<'_> {
    type Error = Error;

    parsed! {
        deserialize_bool => visit_bool,
        deserialize_i8 => visit_i8,
        deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32,
        deserialize_i64 => visit_i64,
        deserialize_i128 => visit_i128,
        deserialize_u8 => visit_u8,
        deserialize_u16 => visit_u16,
        deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64,
        deserialize_u128 => visit_u128,
        deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64,
        deserialize_char => visit_char,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str(self.text)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.text.into_deserializer())
    }

    serde::forward_to_deserialize_any! {
        str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Unit {
        Kg,
        Lb,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Query {
        no: u32,
        weight: f64,
        unit: Unit,
        name: String,
        note: Option<String>,
    }

    fn groups(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn groups_fill_texts_numbers_names_and_what_may_be_absent() {
        let all = [
            ("no", "1001"),
            ("weight", "2.5"),
            ("unit", "lb"),
            ("name", "茶"),
        ];
        let expected = Query {
            no: 1001,
            weight: 2.5,
            unit: Unit::Lb,
            name: "茶".to_owned(),
            note: None,
        };
        assert_eq!(read::<Query>(&groups(&all)).unwrap(), expected);
    }

    #[test]
    fn a_number_that_does_not_fit_and_a_missing_group_are_named() {
        let error = read::<Query>(&groups(&[("no", "99999999999")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "group \"no\": number too large to fit in target type"
        );
        let error = read::<Query>(&groups(&[("no", "1")])).unwrap_err();
        assert_eq!(error.to_string(), "missing field `weight`");
    }
}
