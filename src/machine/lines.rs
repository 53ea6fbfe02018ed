//! The interrupt lines: wired-or of the devices' outputs, with the cycle at which each became active.

use super::slots::{Slots, Wire};

/// IRQB and NMIB as the CPU sees them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Lines {
    /// The cycle since which some device holds IRQB.
    irq_since: Option<u64>,
    /// Whether some device holds NMIB: the next edge comes after all have released it.
    nmi_held: bool,
    /// The cycle of an NMI edge that the CPU has not taken yet.
    nmi_edge: Option<u64>,
}

persist!(Lines { irq_since, nmi_held, nmi_edge });

impl Lines {
    /// Takes over what the devices drive; gives whether a line has become active.
    pub fn update(&mut self, slots: &Slots) -> bool {
        let held_since =
            |wire| slots.iter().filter(|slot| slot.wire == wire).filter_map(|slot| slot.irq).min();
        let irq = held_since(Wire::Irq);
        let mut raised = irq.is_some() && self.irq_since.is_none();
        self.irq_since = irq;
        let nmi = held_since(Wire::Nmi);
        if let Some(since) = nmi
            && !self.nmi_held
        {
            self.nmi_edge.get_or_insert(since);
            raised = true;
        }
        self.nmi_held = nmi.is_some();
        raised
    }

    pub fn irq_held(&self) -> bool {
        self.irq_since.is_some()
    }

    pub fn irq_at(&self, cycle: u64) -> bool {
        self.irq_since.is_some_and(|since| since <= cycle)
    }

    pub fn nmi_at(&self, cycle: u64) -> bool {
        self.nmi_edge.is_some_and(|edge| edge <= cycle)
    }

    pub fn acknowledge_nmi(&mut self) {
        self.nmi_edge = None;
    }
}
