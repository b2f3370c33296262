//! How the fields of a typed push are found: by one declaration, from which the struct, its reader and its
//! line in the documents are made, so that they cannot differ.

use crate::id::OpenId;
use crate::protocol::push::node::Node;
use crate::protocol::push::value::{Decimal, Flag, Id, Number};

/// A field of a typed push, as people look it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name of the Rust field.
    pub name: &'static str,
    /// The path of the element, from the element that the struct stands for.
    pub wire: &'static str,
    /// Other spellings that were seen, looked for when there is no `wire`.
    pub spellings: &'static [&'static str],
    /// What it holds.
    pub word: Word,
    /// How often it stands there.
    pub count: Count,
    /// The fields of a [`Word::Record`].
    pub fields: &'static [Field],
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Word {
    /// Text.
    Text,
    /// An [`OpenId`].
    OpenId,
    /// An [`Id`].
    Id,
    /// A [`Number`].
    Number,
    /// A [`Decimal`].
    Decimal,
    /// A [`Flag`].
    Flag,
    /// Elements with names of their own.
    Record,
}

/// How often a field stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Count {
    /// Always, as far as is known; where it is absent all the same, it is empty.
    One,
    /// Not always. The platform often sends an empty element where it means none.
    Optional,
    /// Any number.
    Many,
}

/// What an element can be read as.
pub(super) trait Element: Sized {
    const WORD: Word;
    const FIELDS: &'static [Field];

    /// The element as this; none if it is empty.
    fn of(node: &Node<'_>) -> Option<Self>;

    /// What stands where an element should be that was not sent.
    fn absent() -> Self;
}

macro_rules! texts {
    ($($type:ident => $word:ident,)*) => {$(
        impl Element for $type {
            const WORD: Word = Word::$word;
            const FIELDS: &'static [Field] = &[];

            fn of(node: &Node<'_>) -> Option<Self> {
                let text = node.text().filter(|text| !text.is_empty())?;
                Some(Self::new(text))
            }

            fn absent() -> Self {
                Self::new("")
            }
        }
    )*};
}

texts! {
    OpenId => OpenId,
    Id => Id,
    Number => Number,
    Decimal => Decimal,
    Flag => Flag,
}

impl Element for String {
    const WORD: Word = Word::Text;
    const FIELDS: &'static [Field] = &[];

    fn of(node: &Node<'_>) -> Option<Self> {
        let text = node.text().filter(|text| !text.is_empty())?;
        Some(text.to_owned())
    }

    fn absent() -> Self {
        Self::new()
    }
}

/// What a field can be: an element that is always there, one that is optional, or a list.
pub(super) trait Value: Sized {
    const WORD: Word;
    const FIELDS: &'static [Field];
    const COUNT: Count;

    /// Looks for each of the paths in turn.
    fn read(node: &Node<'_>, paths: &[&str]) -> Self;

    /// What stands where nothing was sent.
    fn absent() -> Self;
}

impl<T: Element> Value for T {
    const WORD: Word = T::WORD;
    const FIELDS: &'static [Field] = T::FIELDS;
    const COUNT: Count = Count::One;

    fn read(node: &Node<'_>, paths: &[&str]) -> Self {
        Option::read(node, paths).unwrap_or_else(<T as Element>::absent)
    }

    fn absent() -> Self {
        <T as Element>::absent()
    }
}

impl<T: Element> Value for Option<T> {
    const WORD: Word = T::WORD;
    const FIELDS: &'static [Field] = T::FIELDS;
    const COUNT: Count = Count::Optional;

    fn read(node: &Node<'_>, paths: &[&str]) -> Self {
        let mut paths = paths.iter();
        paths.find_map(|path| T::of(&node.only(path)?))
    }

    fn absent() -> Self {
        None
    }
}

impl<T: Element> Value for Vec<T> {
    const WORD: Word = T::WORD;
    const FIELDS: &'static [Field] = T::FIELDS;
    const COUNT: Count = Count::Many;

    fn read(node: &Node<'_>, paths: &[&str]) -> Self {
        let mut paths = paths.iter().map(|path| node.all(path));
        let found = paths.find(|nodes| !nodes.is_empty()).unwrap_or_default();
        found.iter().filter_map(T::of).collect()
    }

    fn absent() -> Self {
        Self::new()
    }
}

/// A struct whose fields are elements: `field: Type = "Path/To/Element" | "OtherSpelling"`.
macro_rules! record {
    (
        $(#[doc = $about:expr])*
        $type:ident {
            $($(#[doc = $doc:expr])* $field:ident: $value:ty = $wire:literal $(| $spelling:literal)*,)*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[non_exhaustive]
        pub struct $type {
            $($(#[doc = $doc])* pub $field: $value,)*
        }

        const _: () = {
            use $crate::protocol::push::node::Node;
            use $crate::protocol::push::{Field, Word, element};

            impl element::Element for $type {
                const WORD: Word = Word::Record;
                const FIELDS: &'static [Field] = &[$(Field {
                    name: stringify!($field),
                    wire: $wire,
                    spellings: &[$($spelling),*],
                    word: <$value as element::Value>::WORD,
                    count: <$value as element::Value>::COUNT,
                    fields: <$value as element::Value>::FIELDS,
                },)*];

                fn of(node: &Node<'_>) -> Option<Self> {
                    node.has_children().then(|| Self {
                        $($field: element::Value::read(node, &[$wire $(, $spelling)*]),)*
                    })
                }

                fn absent() -> Self {
                    Self {
                        $($field: element::Value::absent(),)*
                    }
                }
            }
        };
    };
}

pub(super) use record;
