//! The words of CBV 2.0 (ISO/IEC 19988:2024): lists, and how a word is told from a URI.

/// Business steps, CBV 2.0 section 7.1.
pub(crate) const STEPS: [&str; 41] = [
    "accepting",
    "arriving",
    "assembling",
    "collecting",
    "commissioning",
    "consigning",
    "creating_class_instance",
    "cycle_counting",
    "decommissioning",
    "departing",
    "destroying",
    "disassembling",
    "dispensing",
    "encoding",
    "entering_exiting",
    "holding",
    "inspecting",
    "installing",
    "killing",
    "loading",
    "other",
    "packing",
    "picking",
    "receiving",
    "removing",
    "repackaging",
    "repairing",
    "replacing",
    "reserving",
    "retail_selling",
    "sampling",
    "sensor_reporting",
    "shipping",
    "staging_outbound",
    "stock_taking",
    "stocking",
    "storing",
    "transporting",
    "unloading",
    "unpacking",
    "void_shipping",
];

/// Dispositions, CBV 2.0 section 7.2.
pub(crate) const DISPOSITIONS: [&str; 33] = [
    "active",
    "available",
    "completeness_inferred",
    "completeness_verified",
    "conformant",
    "container_closed",
    "container_open",
    "damaged",
    "destroyed",
    "dispensed",
    "disposed",
    "encoded",
    "expired",
    "in_progress",
    "in_transit",
    "inactive",
    "mismatch_class",
    "mismatch_instance",
    "mismatch_quantity",
    "needs_replacement",
    "no_pedigree_match",
    "non_conformant",
    "non_sellable_other",
    "partially_dispensed",
    "recalled",
    "reserved",
    "retail_sold",
    "returned",
    "sellable_accessible",
    "sellable_not_accessible",
    "stolen",
    "unavailable",
    "unknown",
];

/// Business transaction types, CBV 2.0 section 7.3.
pub(crate) const TRANSACTIONS: [&str; 13] = [
    "bol",
    "cert",
    "desadv",
    "inv",
    "pedigree",
    "po",
    "poc",
    "prodorder",
    "recadv",
    "rma",
    "testprd",
    "testres",
    "upevt",
];

/// Source and destination types, CBV 2.0 section 7.4.
pub(crate) const PARTIES: [&str; 3] = ["location", "owning_party", "possessing_party"];

/// Reasons of an error declaration, CBV 2.0 section 7.5.
pub(crate) const REASONS: [&str; 2] = ["did_not_occur", "incorrect_data"];

/// Sensor components, CBV 2.0 section 7.6.
pub(crate) const COMPONENTS: [&str; 14] = [
    "altitude",
    "axial_distance",
    "azimuth",
    "easting",
    "elevation_angle",
    "height",
    "latitude",
    "longitude",
    "northing",
    "polar_angle",
    "spherical_radius",
    "x",
    "y",
    "z",
];

/// One vocabulary: its words, and the two URI forms that stand for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    pub(crate) name: &'static str,
    pub(crate) words: &'static [&'static str],
    /// The web form, as in `https://ref.gs1.org/cbv/BizStep-shipping`.
    pub(crate) web: &'static str,
    /// The form of CBV 1, as in `urn:epcglobal:cbv:bizstep:shipping`.
    pub(crate) urn: &'static str,
}

pub(crate) const STEP: Vocabulary = Vocabulary {
    name: "bizStep",
    words: &STEPS,
    web: "https://ref.gs1.org/cbv/BizStep-",
    urn: "urn:epcglobal:cbv:bizstep:",
};
pub(crate) const DISPOSITION: Vocabulary = Vocabulary {
    name: "disposition",
    words: &DISPOSITIONS,
    web: "https://ref.gs1.org/cbv/Disp-",
    urn: "urn:epcglobal:cbv:disp:",
};
pub(crate) const TRANSACTION: Vocabulary = Vocabulary {
    name: "business transaction type",
    words: &TRANSACTIONS,
    web: "https://ref.gs1.org/cbv/BTT-",
    urn: "urn:epcglobal:cbv:btt:",
};
pub(crate) const PARTY: Vocabulary = Vocabulary {
    name: "source or destination type",
    words: &PARTIES,
    web: "https://ref.gs1.org/cbv/SDT-",
    urn: "urn:epcglobal:cbv:sdt:",
};
pub(crate) const REASON: Vocabulary = Vocabulary {
    name: "error reason",
    words: &REASONS,
    web: "https://ref.gs1.org/cbv/ER-",
    urn: "urn:epcglobal:cbv:er:",
};
pub(crate) const COMPONENT: Vocabulary = Vocabulary {
    name: "sensor component",
    words: &COMPONENTS,
    web: "https://ref.gs1.org/cbv/Comp-",
    urn: "urn:epcglobal:cbv:comp:",
};

impl Vocabulary {
    /// Whether a value is one of the words, a standard form of one, or somebody's own URI.
    pub(crate) fn allows(&self, value: &str) -> bool {
        let standard = value.strip_prefix(self.web).or_else(|| value.strip_prefix(self.urn));
        match standard {
            Some(word) => self.words.contains(&word),
            None => self.words.contains(&value) || is_uri(value),
        }
    }
}

/// Whether text is a URI or a compact form of one: a scheme or prefix, a colon, and printable ASCII that RFC 3986 allows.
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let mut letters = scheme.bytes();
    let scheme_is_right = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.' | b'_'));
    let rest_is_right = !rest.is_empty()
        && rest.bytes().all(|c| {
            c.is_ascii_graphic()
                && !matches!(c, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        });
    let authority_is_right = match scheme {
        "http" | "https" => {
            rest.strip_prefix("//").is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
        }
        "urn" => {
            rest.split_once(':').is_some_and(|(space, name)| !space.is_empty() && !name.is_empty())
        }
        _other => true,
    };
    scheme_is_right && rest_is_right && authority_is_right
}
