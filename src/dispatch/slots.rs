//! Numbered places for things that come and go: the number of one that is gone names nothing.

/// The number of a place, and of its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    index: usize,
    turn: u64,
}

/// Places, used again when they are free.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    places: Vec<(u64, Option<T>)>,
    free: Vec<usize>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slots<T> {
    /// How many things are there.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Puts a thing into a free place.
    pub(crate) fn insert(&mut self, thing: T) -> Slot {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push((0, None));
            self.places.len() - 1
        });
        let (turn, place) = &mut self.places[index];
        *turn += 1;
        *place = Some(thing);
        Slot { index, turn: *turn }
    }

    /// The thing, if it is still there.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        let (turn, place) = self.places.get_mut(slot.index)?;
        place.as_mut().filter(|_| *turn == slot.turn)
    }

    /// Takes the thing out, if it is still there.
    pub(crate) fn remove(&mut self, slot: Slot) -> Option<T> {
        self.get_mut(slot)?;
        self.free.push(slot.index);
        self.places[slot.index].1.take()
    }

    /// Everything that is there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Slot, &T)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(index, (turn, thing))| {
            let slot = Slot { index, turn: *turn };
            Some((slot, thing.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_and_its_old_number_names_nothing() {
        let mut slots = Slots::default();
        let first = slots.insert("a");
        assert_eq!(slots.remove(first), Some("a"));
        let second = slots.insert("b");
        assert_eq!(slots.places.len(), 1);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.iter().collect::<Vec<_>>(), [(second, &"b")]);
        assert_eq!(slots.len(), 1);
    }
}
