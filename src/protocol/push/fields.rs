//! Everything that a push says, whether this version knows it or not.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use crate::protocol::push::Malformed;
use crate::protocol::push::node::Node;
use crate::protocol::xml::{self, Leaf, Recovery, Sink};

/// Path → text of every element without children, in the order of the document.
///
/// A path is the names from below the root, joined by `/`. Where a name repeats among siblings, each has
/// its index from 0: `SendPicsInfo/PicList/item[1]/PicMd5Sum`. Names keep their case: some pushes have both
/// `AppId` and `appid`. As JSON: an object in document order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn read(body: &[u8], recovery: Recovery) -> Result<Self, Malformed> {
        let mut builder = Builder::default();
        xml::walk(body, recovery, &mut builder)?;
        Ok(builder.build())
    }

    /// The text at a path, exactly as it is spelled here.
    pub fn get(&self, path: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == path);
        found.map(|(_, text)| text.as_str())
    }

    /// All paths and texts, in the order of the document.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The root element.
    pub(super) fn root(&self) -> Node<'_> {
        Node::root(&self.0)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Paths can be spelled only when all siblings are known, so the elements are gathered first.
#[derive(Default)]
struct Builder<'d> {
    elements: Vec<Element<'d>>,
    /// The elements that are open, as indices.
    open: Vec<usize>,
    /// How many children of a name an element has.
    siblings: HashMap<(Option<usize>, &'d [u8]), usize>,
}

struct Element<'d> {
    parent: Option<usize>,
    name: &'d [u8],
    index: usize,
    /// For elements without children.
    text: Option<String>,
}

impl<'d> Builder<'d> {
    fn add(&mut self, name: &'d [u8], text: Option<String>) {
        let parent = self.open.last().copied();
        let count = self.siblings.entry((parent, name)).or_default();
        let index = *count;
        *count += 1;
        self.elements.push(Element {
            parent,
            name,
            index,
            text,
        });
    }

    fn build(mut self) -> Fields {
        let texts: Vec<_> = self
            .elements
            .iter_mut()
            .map(|element| element.text.take())
            .collect();
        let leaves = texts.into_iter().enumerate();
        Fields(
            leaves
                .filter_map(|(at, text)| Some((self.path(at), text?)))
                .collect(),
        )
    }

    fn path(&self, at: usize) -> String {
        let element = &self.elements[at];
        let mut path = match element.parent {
            Some(parent) => self.path(parent) + "/",
            None => String::new(),
        };
        path += &String::from_utf8_lossy(element.name);
        let repeats = self.siblings.get(&(element.parent, element.name));
        if repeats.is_some_and(|count| *count > 1) {
            path += &format!("[{}]", element.index);
        }
        path
    }
}

impl<'d> Sink<'d> for Builder<'d> {
    type Error = Malformed;

    fn open(&mut self, name: &'d [u8], _depth: usize) -> Result<(), Malformed> {
        self.add(name, None);
        self.open.push(self.elements.len() - 1);
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf<'d>, _depth: usize) -> Result<(), Malformed> {
        self.add(leaf.name, Some(leaf.text().into_owned()));
        Ok(())
    }

    fn close(&mut self) {
        self.open.pop();
    }
}
