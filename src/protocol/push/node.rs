//! One element of a push, found among its [`Fields`](crate::protocol::push::Fields).

/// An element: the leaves below it, which stand together because they are in the order of the document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'f> {
    leaves: &'f [(String, String)],
    /// Bytes of each path up to where the names below this element begin.
    depth: usize,
}

impl<'f> Node<'f> {
    /// The root of these leaves.
    pub(super) fn root(leaves: &'f [(String, String)]) -> Self {
        Self { leaves, depth: 0 }
    }

    /// The text of an element without children.
    pub(super) fn text(&self) -> Option<&'f str> {
        match self.leaves {
            [(path, text)] if path.len() < self.depth => Some(text),
            _ => None,
        }
    }

    /// Whether it has children.
    pub(super) fn has_children(&self) -> bool {
        self.leaves.iter().any(|(path, _)| path.len() > self.depth)
    }

    /// The element at a path like `SendPicsInfo/Count`, if there is one. Of two nobody knows which one
    /// the platform wrote, so there is none.
    pub(super) fn only(&self, path: &str) -> Option<Self> {
        let mut found = self.all(path).into_iter();
        match (found.next(), found.next()) {
            (Some(node), None) => Some(node),
            _ => None,
        }
    }

    /// All elements at a path, in order, also when an element on the way to them is repeated.
    pub(super) fn all(&self, path: &str) -> Vec<Self> {
        path.split('/').fold(vec![*self], |nodes, name| {
            nodes.iter().flat_map(|node| node.children(name)).collect()
        })
    }

    fn children(&self, name: &str) -> Vec<Self> {
        let elements = self
            .leaves
            .chunk_by(|(one, _), (other, _)| self.child_of(one) == self.child_of(other));
        elements
            .filter_map(|leaves| {
                let (path, _) = leaves.first()?;
                let child = self.child_of(path);
                let named = child.split('[').next() == Some(name);
                named.then_some(Self {
                    leaves,
                    depth: self.depth + child.len() + 1,
                })
            })
            .collect()
    }

    /// The name, with its index, of the child to which a leaf belongs.
    fn child_of<'p>(&self, path: &'p str) -> &'p str {
        let below = path.get(self.depth..).unwrap_or_default();
        below.split('/').next().unwrap_or_default()
    }
}
