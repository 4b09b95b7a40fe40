//! GDST: the key data elements that seafood events need (Global Dialogue on Seafood Traceability 1.2).

use crate::{
    context::Prefixes,
    fault::{Faults, Place, Problem, quote},
    json::{Map, Value},
    read::Members,
};

/// The two namespaces, with the prefix everyone uses; the files in circulation disagree about the slash or colon at the end.
const GDST: (&str, &str) = ("gdst", "https://traceability-dialogue.org/epcis");
const MDA: (&str, &str) = ("cbvmda", "urn:epcglobal:cbv:mda");

const WELFARE: [&str; 3] = ["None", "Internal", "3P Audit"];

/// A member by its namespace and local name, with the name as written.
fn find<'v>(
    map: &'v Map,
    (usual, namespace): (&str, &str),
    local: &str,
    prefixes: &Prefixes<'_>,
) -> Option<(&'v str, &'v Value)> {
    let meant = |declared: &str| declared.trim_end_matches(['/', ':', '#']) == namespace;
    map.iter().find_map(|(name, value)| {
        let (prefix, rest) = name.split_once(':')?;
        let here =
            rest == local && (prefix == usual || prefixes.namespace(prefix).is_some_and(meant));
        here.then_some((name.as_str(), value))
    })
}

/// Checks an event that is meant to be one of GDST: its document declares the namespace, or its step is one of GDST's.
pub(crate) fn check(event: &Members<'_, '_>, prefixes: &Prefixes<'_>, faults: &mut Faults) {
    let step = event.get("bizStep").and_then(Value::as_str).unwrap_or_default();
    let declared =
        prefixes.namespace(GDST.0).is_some_and(|namespace| namespace.starts_with(GDST.1));
    let own = step.strip_prefix("urn:gdst:bizStep:");
    let uses = event.map().keys().any(|name| name.starts_with("gdst:"));
    if !(own.is_some() || declared || uses) {
        return;
    }
    let mut rules = Rules { prefixes, faults };
    let empty = Map::new();
    let ilmd_place = event.at("ilmd");
    let ilmd = event.get("ilmd").and_then(Value::as_object).unwrap_or(&empty);
    let (here, inside) = ((event.map(), event.place()), (ilmd, &ilmd_place));

    rules.present(here, MDA, "informationProvider");
    rules.present(here, GDST, "productOwner");
    rules.certificates(here);
    rules.certificates(inside);
    if find(here.0, GDST, "humanWelfarePolicy", prefixes).is_some() {
        rules.one_of(here, GDST, "humanWelfarePolicy", &WELFARE);
    }
    let transforms = event.get("type").and_then(Value::as_str) == Some("TransformationEvent");
    match own {
        Some("fishingEvent") => {
            rules.one_of(here, GDST, "humanWelfarePolicy", &WELFARE);
            rules.one_of(
                inside,
                MDA,
                "productionMethodForFishAndSeafoodCode",
                &["MARINE_FISHERY", "INLAND_FISHERY"],
            );
            rules.vessels(inside);
        }
        Some("hatching") => {
            rules.one_of(here, GDST, "humanWelfarePolicy", &WELFARE);
            rules.one_of(inside, GDST, "broodstockSource", &["Domestic", "Wild Sources"]);
        }
        Some("farmHarvest") => {
            rules.one_of(here, GDST, "humanWelfarePolicy", &WELFARE);
            rules.present(inside, GDST, "aquacultureMethod");
            rules.one_of(inside, MDA, "productionMethodForFishAndSeafoodCode", &["AQUACULTURE"]);
        }
        Some("transshipment" | "landing") => {
            rules.one_of(here, GDST, "humanWelfarePolicy", &WELFARE);
            rules.present(here, MDA, "unloadingPort");
        }
        Some(_) | None => {}
    }
    let processes = own == Some("commingling") || step.ends_with("commissioning");
    if processes && (transforms || find(inside.0, GDST, "proteinSource", prefixes).is_some()) {
        rules.present(inside, MDA, "lotNumber");
    }
}

type At<'v, 'p> = (&'v Map, &'p Place<'p>);

struct Rules<'r, 'v> {
    prefixes: &'r Prefixes<'v>,
    faults: &'r mut Faults,
}

impl Rules<'_, '_> {
    /// The text of an element that has to be there.
    fn present<'v>(
        &mut self,
        (map, place): At<'v, '_>,
        space: (&str, &str),
        local: &str,
    ) -> Option<(&'v str, &'v str)> {
        let found = find(map, space, local, self.prefixes);
        let text = found
            .and_then(|(name, value)| Some((name, value.as_str()?)))
            .filter(|(_, text)| !text.trim().is_empty());
        if text.is_none() {
            let name = format!("{}:{local}", space.0);
            let problem = Problem::new(
                "E-REC-030",
                format!("the GDST key data element `{name}` is missing"),
                format!("缺少 GDST 关键数据元素“{name}”"),
            );
            match found {
                Some((name, _)) => self.faults.add(&place.member(name), problem),
                None => self.faults.add(place, problem),
            }
        }
        text
    }

    fn matching(
        &mut self,
        at: At<'_, '_>,
        space: (&str, &str),
        local: &str,
        expected: &str,
        fits: impl Fn(&str) -> bool,
    ) {
        if let Some((name, text)) = self.present(at, space, local)
            && !fits(text)
        {
            let problem = Problem::new(
                "E-REC-031",
                format!(
                    "the GDST key data element `{}` is {:?}; it should be {expected}",
                    quote(name),
                    quote(text)
                ),
                format!(
                    "GDST 关键数据元素“{}”的值“{}”不符合要求:{expected}",
                    quote(name),
                    quote(text)
                ),
            );
            self.faults.add(&at.1.member(name), problem);
        }
    }

    fn one_of(&mut self, at: At<'_, '_>, space: (&str, &str), local: &str, allowed: &[&str]) {
        self.matching(at, space, local, &allowed.join(" | "), |text| allowed.contains(&text));
    }

    fn certificates(&mut self, (map, place): At<'_, '_>) {
        let Some((name, list)) = find(map, MDA, "certificationList", self.prefixes) else { return };
        let place = place.member(name);
        let Some((name, list)) = list.as_object().and_then(|map| {
            map.iter().find(|(name, _)| name.rsplit(':').next() == Some("certification"))
        }) else {
            return;
        };
        let place = place.member(name);
        for (index, certificate) in list.one_or_many().iter().enumerate() {
            let Some(map) = certificate.as_object() else { continue };
            let place = place.index(index);
            self.matching(
                (map, &place),
                GDST,
                "certificationType",
                "urn:gdst:certType:…",
                |text| text.strip_prefix("urn:gdst:certType:").is_some_and(|rest| !rest.is_empty()),
            );
        }
    }

    fn vessels(&mut self, (map, place): At<'_, '_>) {
        let list = find(map, MDA, "vesselCatchInformationList", self.prefixes);
        let inner = list.and_then(|(outer, list)| {
            let (name, vessels) =
                find(list.as_object()?, MDA, "vesselCatchInformation", self.prefixes)?;
            Some((outer, name, vessels))
        });
        let Some((outer, name, vessels)) = inner else {
            let problem = Problem::new(
                "E-REC-030",
                "the GDST key data element `cbvmda:vesselCatchInformationList` with its `cbvmda:vesselCatchInformation` is missing",
                "缺少 GDST 关键数据元素“cbvmda:vesselCatchInformationList”",
            );
            self.faults.add(place, problem);
            return;
        };
        let place = place.member(outer);
        let place = place.member(name);
        for (index, vessel) in vessels.one_or_many().iter().enumerate() {
            let Some(map) = vessel.as_object() else { continue };
            let place = place.index(index);
            self.matching(
                (map, &place),
                MDA,
                "vesselFlagState",
                "two capitals (ISO 3166-1)",
                |text| text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase()),
            );
            self.matching((map, &place), GDST, "imoNumber", "IMO and 7 or 8 digits", |text| {
                text.strip_prefix("IMO").is_some_and(|digits| {
                    (7..=8).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit())
                })
            });
        }
    }
}
