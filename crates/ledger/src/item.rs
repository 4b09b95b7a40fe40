//! Service items and the lists of them: who may do what to the catalogue, and what it makes of items and basic codes.

use crate::{
    rejection::{ItemFault, Rejection},
    rules::{Case, Changes, View},
};
use std::collections::BTreeMap;
use types::{
    AgencyCode, Hash, Level, Region, Subject, SubjectState, Text, Timestamp,
    item::{
        self, ELEMENTS_MAX, Edition, Element, ListAction, ListName, ListVerb, MEMBERS_MAX,
        Predecessor, RELATIVES_MAX, Successor, TASKS_MAX,
    },
    operation::{BasicCode, Commitment, Family, ItemAction, ItemCode, ItemVerb},
    subject::{Facts, Status},
};

/// An item that is to be entered in the catalogue.
struct Entry<'a> {
    code: &'a ItemCode,
    basic: &'a BasicCode,
    level: Level,
    region: Region,
    planned_cancel: Option<Timestamp>,
}

/// The subjects of one operation as it leaves them: what a later step finds is what an earlier one left.
struct Sheet<'c, 'v, V> {
    case: &'c Case<'v, V>,
    written: BTreeMap<Hash, SubjectState>,
    /// The basic codes whose opening entry ended.
    closing: Vec<BasicCode>,
}

impl<V: View> Case<'_, V> {
    /// What an act on an item makes of it, of its basic code, and of the items it replaces or is replaced by.
    pub(crate) fn item(
        &self,
        act: &ItemAction,
        commitment: &Commitment,
    ) -> Result<Changes, Rejection> {
        let mut sheet = Sheet { case: self, written: BTreeMap::new(), closing: Vec::new() };
        match &act.verb {
            ItemVerb::Publish { version, planned_cancel } => {
                self.needs_no_elements()?;
                sheet.enter(&self.entry(act, *planned_cancel), *version)?;
            }
            ItemVerb::Amend { version, planned_cancel } => {
                self.needs_no_elements()?;
                sheet.revise(act, *version, *planned_cancel)?;
            }
            ItemVerb::Suspend => {
                sheet.turn(act, "suspend", &[Status::Active], Status::Suspended)?;
            }
            ItemVerb::Resume => sheet.turn(act, "resume", &[Status::Suspended], Status::Active)?,
            ItemVerb::Cancel => {
                let from = [Status::Active, Status::Suspended];
                sheet.turn(act, "cancel", &from, Status::Cancelled)?;
                sheet.note_closing(&act.code, &act.basic)?;
            }
            ItemVerb::Enter(edition) => {
                self.shapes(&act.code, &act.basic)?;
                self.elements(&[&edition.elements], commitment)?;
                sheet.enter(&self.entry(act, edition.planned_cancel), edition.version)?;
            }
            ItemVerb::Revise(edition) => {
                self.elements(&[&edition.elements], commitment)?;
                sheet.revise(act, edition.version, edition.planned_cancel)?;
            }
            ItemVerb::Merge { edition, predecessors } => {
                self.elements(&[&edition.elements], commitment)?;
                sheet.merge(act, edition, predecessors)?;
            }
            ItemVerb::Split { successors } => {
                let lists: Vec<&[Element]> =
                    successors.iter().map(|new| new.elements.as_slice()).collect();
                self.elements(&lists, commitment)?;
                sheet.split(act, successors)?;
            }
            ItemVerb::Entrust { to, tasks, until } => sheet.entrust(act, to, tasks, *until)?,
        }
        sheet.close()
    }

    const fn entry<'a>(&self, act: &'a ItemAction, planned_cancel: Option<Timestamp>) -> Entry<'a> {
        let ItemAction { code, basic, level, region, verb: _ } = act;
        Entry { code, basic, level: *level, region: *region, planned_cancel }
    }

    fn item_fault(&self, why: ItemFault) -> Rejection {
        Rejection::Item { index: self.index, why }
    }

    /// Whether a role covers items in this region.
    fn covers_region(&self, region: Region) -> Result<(), Rejection> {
        if self.covers(|role| role.covers_item(region)) {
            return Ok(());
        }
        Err(self.role(Family::Item, format!("items in region {region}")))
    }

    /// Whether the agency may act on what is `owner`'s, in this region: as its owner, or with a role over the region.
    fn may_act(&self, owner: &AgencyCode, region: Region) -> Result<(), Rejection> {
        if *owner == self.agency && self.covers(|role| role.family() == Family::Item) {
            return Ok(());
        }
        self.covers_region(region)
    }

    /// Codes have the shape that the national standards give them.
    fn shapes(&self, code: &ItemCode, basic: &BasicCode) -> Result<(), Rejection> {
        for (text, sound) in
            [(code.as_str(), item::is_item_code(code)), (basic, item::is_basic_code(basic))]
        {
            if !sound {
                return Err(self.item_fault(ItemFault::Code { code: text.to_owned() }));
            }
        }
        Ok(())
    }

    /// A planned end is after the beginning.
    fn dates(&self, planned_cancel: Option<Timestamp>) -> Result<(), Rejection> {
        match planned_cancel {
            Some(end) if end <= self.effective_from => {
                let effective_from = self.effective_from;
                Err(self.item_fault(ItemFault::Dates { end, effective_from }))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A version without elements is one of no uniform element.
    fn needs_no_elements(&self) -> Result<(), Rejection> {
        self.rules
            .uniform()
            .first()
            .map_or(Ok(()), |name| Err(self.item_fault(ItemFault::Uniform { name: name.clone() })))
    }

    /// Elements are in order, hold every uniform one, and are what the operation commits to.
    fn elements(&self, lists: &[&[Element]], commitment: &Commitment) -> Result<(), Rejection> {
        for elements in lists {
            let ascending = elements.windows(2).all(|pair| pair[0].name < pair[1].name);
            if !ascending || elements.is_empty() || elements.len() > ELEMENTS_MAX {
                return Err(self.item_fault(ItemFault::Elements));
            }
            let has = |name: &Text<96>| elements.binary_search_by(|e| e.name.cmp(name)).is_ok();
            if let Some(name) = self.rules.uniform().iter().find(|name| !has(name)) {
                return Err(self.item_fault(ItemFault::Uniform { name: name.clone() }));
            }
        }
        if commitment.fields == Some(item::elements_root(lists.iter().copied())) {
            Ok(())
        } else {
            Err(self.item_fault(ItemFault::Root))
        }
    }

    /// A list below the provinces is named after its region, `350122/…`, and none after another: so nobody takes the names of
    /// regions in which it may not act.
    fn list_name(&self, name: &ListName, region: Region) -> Result<(), Rejection> {
        let named = name.split_once('/').and_then(|(place, _)| Region::new(place));
        let is_own = match named {
            Some(place) => place == region,
            None => Level::National.fits(region) || Level::Province.fits(region),
        };
        if is_own {
            return Ok(());
        }
        Err(self.item_fault(ItemFault::ListName { name: name.clone(), region }))
    }

    /// What an act on a named list makes of it.
    pub(crate) fn list(&self, act: &ListAction) -> Result<Changes, Rejection> {
        let subject = Subject::list(&act.name);
        let key = subject.key();
        let found = self.view.subject(&key);
        self.members(act.verb.members(), matches!(act.verb, ListVerb::Cancel))?;
        let facts = |members: &[ItemCode]| Facts::List {
            region: act.region,
            members: item::members_root(members),
            count: u32::try_from(members.len()).unwrap_or(u32::MAX),
        };
        let state = match &act.verb {
            ListVerb::Publish { members } => {
                self.covers_region(act.region)?;
                self.list_name(&act.name, act.region)?;
                if let Some(state) = found {
                    return Err(self.exists(state));
                }
                self.new_state(subject, 1, facts(members))
            }
            ListVerb::Amend { .. } | ListVerb::Cancel => {
                let mut state = self.alive(found, &subject)?;
                self.may_act(&state.owner, act.region)?;
                if !matches!(&state.facts, Facts::List { region, .. } if *region == act.region) {
                    return Err(Rejection::Identity { index: self.index, subject });
                }
                match &act.verb {
                    ListVerb::Amend { version, members } => {
                        self.follows(&state, *version)?;
                        (state.version, state.facts) = (*version, facts(members));
                        state.effective_from = self.effective_from;
                    }
                    ListVerb::Cancel => {
                        self.turn(&mut state, "cancel", &[Status::Active], Status::Cancelled)?;
                    }
                    ListVerb::Publish { .. } => return Err(self.exists(state)),
                }
                state
            }
        };
        Ok(vec![(key, state)])
    }

    /// The items of a list are in order, and in the catalogue.
    fn members(&self, members: &[ItemCode], may_be_none: bool) -> Result<(), Rejection> {
        let ascending = members.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || members.len() > MEMBERS_MAX || (members.is_empty() && !may_be_none) {
            return Err(self.item_fault(ItemFault::Members));
        }
        members.iter().try_for_each(|code| {
            let subject = Subject::item(code);
            self.alive(self.view.subject(&subject.key()), &subject).map(drop)
        })
    }

    /// A version follows the one before.
    fn follows(&self, state: &SubjectState, found: u32) -> Result<(), Rejection> {
        let wanted = state.version.saturating_add(1);
        if found == wanted {
            return Ok(());
        }
        let subject = state.subject.clone();
        Err(Rejection::Version { index: self.index, subject, found, wanted })
    }
}

impl<V: View> Sheet<'_, '_, V> {
    fn find(&self, subject: &Subject) -> Option<SubjectState> {
        let key = subject.key();
        self.written.get(&key).cloned().or_else(|| self.case.view.subject(&key))
    }

    fn write(&mut self, state: SubjectState) {
        self.written.insert(state.subject.key(), state);
    }

    /// Whether levels may be added below a basic code: until the day its opening entry ends, or is planned to.
    fn is_open(&self, basic: &SubjectState) -> bool {
        let case = self.case;
        let end = match basic.status {
            Status::Active => None,
            Status::Cancelled => Some(basic.effective_from),
            Status::Suspended
            | Status::Annulled
            | Status::TransferredOut
            | Status::Revoked
            | Status::Superseded
            | Status::Proposed
            | Status::Enacted
            | Status::Expired
            | Status::Destroyed => return false,
        };
        let is_before = |end: Timestamp| case.at.time < end && case.effective_from < end;
        end.into_iter().chain(self.planned_end(basic)).all(is_before)
    }

    /// When the entry that opened a basic code is planned to end.
    fn planned_end(&self, basic: &SubjectState) -> Option<Timestamp> {
        let Facts::Basic { opener, .. } = &basic.facts else { return None };
        let found = self.find(&Subject::item(opener))?;
        let Facts::Item { planned_cancel, .. } = found.facts else { return None };
        planned_cancel
    }

    /// A new item.
    fn enter(&mut self, entry: &Entry<'_>, version: u32) -> Result<(), Rejection> {
        let case = self.case;
        let Entry { code, basic, level, region, planned_cancel } = *entry;
        case.covers_region(region)?;
        // A code that says who exercises the item is not for whoever could not act on such an item.
        if let Some(organisation) = item::organisation(code)
            && let Some(place) = organisation.region()
        {
            case.may_act(&organisation, place)?;
        }
        if !level.fits(region) {
            return Err(case.item_fault(ItemFault::Region { level, region }));
        }
        let subject = Subject::item(code);
        if let Some(state) = self.find(&subject) {
            return Err(case.exists(state));
        }
        if version != 1 {
            let (index, found) = (case.index, version);
            return Err(Rejection::Version { index, subject, found, wanted: 1 });
        }
        case.dates(planned_cancel)?;
        let above = Subject::basic(basic);
        let opened = match self.find(&above) {
            Some(state) if self.is_open(&state) => state,
            None if level <= Level::Province => {
                case.new_state(above, 1, Facts::Basic { level, opener: code.clone() })
            }
            Some(_) | None => return Err(self.unopened(basic, level)),
        };
        let facts = Facts::Item { basic: basic.clone(), level, region, planned_cancel };
        self.write(case.new_state(subject, 1, facts));
        self.write(opened);
        Ok(())
    }

    fn unopened(&self, basic: &BasicCode, level: Level) -> Rejection {
        Rejection::Level { index: self.case.index, basic: basic.to_string(), level }
    }

    /// An item that lives and that the agency may act on, if it is the one that the operation describes.
    fn own(&mut self, code: &ItemCode, basic: &BasicCode) -> Result<SubjectState, Rejection> {
        let (case, subject) = (self.case, Subject::item(code));
        let state = case.alive(self.find(&subject), &subject)?;
        let Facts::Item { basic: mine, region, .. } = &state.facts else {
            return Err(Rejection::Identity { index: case.index, subject });
        };
        case.may_act(&state.owner, *region)?;
        if mine != basic {
            return Err(Rejection::Identity { index: case.index, subject });
        }
        let above = Subject::basic(basic);
        let found = self.find(&above);
        let found = found.ok_or(Rejection::Unknown { index: case.index, subject: above })?;
        self.write(found);
        Ok(state)
    }

    /// The same, of the operation's own item, which does not change its level or region either.
    fn subject(&mut self, act: &ItemAction) -> Result<SubjectState, Rejection> {
        let state = self.own(&act.code, &act.basic)?;
        let same = matches!(&state.facts, Facts::Item { level, region, .. }
            if (*level, *region) == (act.level, act.region));
        if same {
            return Ok(state);
        }
        Err(Rejection::Identity { index: self.case.index, subject: state.subject })
    }

    /// The next version of an item.
    fn revise(
        &mut self,
        act: &ItemAction,
        version: u32,
        planned: Option<Timestamp>,
    ) -> Result<(), Rejection> {
        let mut state = self.subject(act)?;
        self.case.follows(&state, version)?;
        self.case.dates(planned)?;
        if let Facts::Item { planned_cancel, .. } = &mut state.facts {
            *planned_cancel = planned;
        }
        (state.version, state.effective_from) = (version, self.case.effective_from);
        self.write(state);
        Ok(())
    }

    fn turn(
        &mut self,
        act: &ItemAction,
        verb: &'static str,
        from: &[Status],
        to: Status,
    ) -> Result<(), Rejection> {
        let mut state = self.subject(act)?;
        self.case.turn(&mut state, verb, from, to)?;
        self.write(state);
        Ok(())
    }

    fn merge(
        &mut self,
        act: &ItemAction,
        edition: &Edition,
        predecessors: &[Predecessor],
    ) -> Result<(), Rejection> {
        let case = self.case;
        case.covers_region(act.region)?;
        // Into a new item at least two are merged; into one that is there, at least one more.
        let least = if edition.version == 1 { 2 } else { 1 };
        let ascending = predecessors.windows(2).all(|pair| pair[0].code < pair[1].code);
        if !ascending || !(least..=RELATIVES_MAX).contains(&predecessors.len()) {
            return Err(case.item_fault(ItemFault::Predecessors));
        }
        if predecessors.iter().any(|old| old.code == act.code) {
            return Err(case.item_fault(ItemFault::Itself { code: act.code.clone() }));
        }
        if edition.version == 1 {
            case.shapes(&act.code, &act.basic)?;
            self.enter(&case.entry(act, edition.planned_cancel), 1)?;
        } else {
            self.revise(act, edition.version, edition.planned_cancel)?;
        }
        for old in predecessors {
            let state = self.own(&old.code, &old.basic)?;
            self.supersede(state, "merge", &old.basic)?;
        }
        self.reopen(&[(&act.code, &act.basic, act.level)])
    }

    fn split(&mut self, act: &ItemAction, successors: &[Successor]) -> Result<(), Rejection> {
        let case = self.case;
        case.covers_region(act.region)?;
        let ascending = successors.windows(2).all(|pair| pair[0].code < pair[1].code);
        if !ascending || !(2..=RELATIVES_MAX).contains(&successors.len()) {
            return Err(case.item_fault(ItemFault::Successors));
        }
        if successors.iter().any(|new| new.code == act.code) {
            return Err(case.item_fault(ItemFault::Itself { code: act.code.clone() }));
        }
        let state = self.subject(act)?;
        for new in successors {
            case.shapes(&new.code, &new.basic)?;
            let Successor { code, basic, level, region, planned_cancel, elements: _ } = new;
            let (level, region, planned_cancel) = (*level, *region, *planned_cancel);
            self.enter(&Entry { code, basic, level, region, planned_cancel }, 1)?;
        }
        self.supersede(state, "split", &act.basic)?;
        let openers: Vec<_> =
            successors.iter().map(|new| (&new.code, &new.basic, new.level)).collect();
        self.reopen(&openers)
    }

    /// Ends an item that others take the place of.
    fn supersede(
        &mut self,
        mut state: SubjectState,
        verb: &'static str,
        basic: &BasicCode,
    ) -> Result<(), Rejection> {
        let from = [Status::Active, Status::Suspended];
        self.case.turn(&mut state, verb, &from, Status::Superseded)?;
        let code = ItemCode::new(state.subject.id.as_str()).expect("items are named by codes");
        self.write(state);
        self.note_closing(&code, basic)
    }

    /// With the entry that opened the basic code goes the right to add levels below it.
    fn note_closing(&mut self, code: &ItemCode, basic: &BasicCode) -> Result<(), Rejection> {
        let above = Subject::basic(basic);
        let found = self.find(&above);
        let index = self.case.index;
        let state = found.ok_or(Rejection::Unknown { index, subject: above })?;
        if matches!(&state.facts, Facts::Basic { opener, .. } if opener == code) {
            self.closing.push(basic.clone());
        }
        Ok(())
    }

    /// Successors of provincial or national level keep open what their predecessors opened; others may not outlive it.
    fn reopen(&mut self, new: &[(&ItemCode, &BasicCode, Level)]) -> Result<(), Rejection> {
        for basic in core::mem::take(&mut self.closing) {
            let mut below = new.iter().filter(|(_, mine, _)| **mine == basic).peekable();
            let Some((_, _, lowest)) = below.peek().copied() else {
                self.closing.push(basic);
                continue;
            };
            let heir = below.find(|(_, _, level)| *level <= Level::Province);
            let (code, _, level) = heir.ok_or_else(|| self.unopened(&basic, *lowest))?;
            if let Some(mut state) = self.find(&Subject::basic(&basic)) {
                state.facts = Facts::Basic { level: *level, opener: (*code).clone() };
                self.write(state);
            }
        }
        Ok(())
    }

    fn entrust(
        &mut self,
        act: &ItemAction,
        to: &AgencyCode,
        tasks: &[Text<32>],
        until: Option<Timestamp>,
    ) -> Result<(), Rejection> {
        let case = self.case;
        let state = self.subject(act)?;
        if state.status != Status::Active {
            let (index, subject, status) = (case.index, state.subject, state.status);
            return Err(Rejection::Status { index, subject, status, verb: "entrust" });
        }
        let ascending = tasks.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || !(1..=TASKS_MAX).contains(&tasks.len()) || *to == case.agency {
            return Err(case.item_fault(ItemFault::Entrustment));
        }
        let unknown = Rejection::Unknown { index: case.index, subject: Subject::agency(to) };
        let standing = case.rules.agency(to).ok_or_else(|| unknown.clone())?;
        if standing.status == Status::Proposed {
            return Err(unknown);
        }
        if standing.status != Status::Active {
            return Err(Rejection::Inactive { agency: *to, status: standing.status });
        }
        case.dates(until)?;
        // The item itself is as it was: what takes effect is the entrustment, not a version.
        self.write(state);
        Ok(())
    }

    /// Everything written, with the basic codes closed from when their opening entry ends.
    fn close(mut self) -> Result<Changes, Rejection> {
        for basic in core::mem::take(&mut self.closing) {
            if let Some(mut state) = self.find(&Subject::basic(&basic)) {
                (state.status, state.effective_from) =
                    (Status::Cancelled, self.case.effective_from);
                self.write(state);
            }
        }
        Ok(self.written.into_iter().collect())
    }
}
