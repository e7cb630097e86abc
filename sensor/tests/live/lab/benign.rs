//! The benign half: B1-B28 across the stacks. What alerts unless the profile of its product
//! is on is done with that, and must alert without; everything else is done with none.

mod application;
mod file;
mod host;
mod operation;
mod product;
mod start;

use super::{
    case::{Benign, Impossible, Profile, When},
    stacks::Stack,
    turn::Turn,
};

/// Ids that the rows must cover.
pub(crate) fn ids() -> impl Iterator<Item = String> {
    (1..=28).map(|number| format!("B{number:02}"))
}

/// What cannot be done here.
pub(crate) const IMPOSSIBLE: &[Impossible] = &[Impossible {
    id: "B23",
    what: "varnishd and its compiler, OpenResty",
    why: "not in the packages of the tests; lighttpd is the row of B23",
}];

/// Every case, in the order in which they are played.
pub(crate) fn all() -> Vec<Benign> {
    let lists = [
        operation::ALL,
        application::ALL,
        file::ALL,
        start::ALL,
        product::SILENT,
        product::ALL,
        host::ALL,
    ];
    lists.into_iter().flatten().copied().collect()
}

/// A case of no product, in both orders.
const fn work(
    id: &'static str,
    stack: Stack,
    needs: &'static [Stack],
    what: &'static str,
    act: fn(&Turn<'_>),
) -> Benign {
    Benign {
        id,
        stack: stack.name(),
        needs,
        what,
        profile: Profile::None,
        told: &[],
        when: When::Both,
        act,
    }
}

/// A case of no product that tells so often by these rules, by design.
const fn told(told: &'static [(&'static str, usize)], case: Benign) -> Benign {
    Benign { told, ..case }
}

/// A case that starts servers of its own.
const fn begin(
    id: &'static str,
    stack: &'static str,
    what: &'static str,
    act: fn(&Turn<'_>),
) -> Benign {
    Benign {
        stack,
        when: When::After,
        ..work(id, Stack::Php, &[], what, act)
    }
}

/// A case that the profile of this product silences.
const fn product(product: &'static str, case: Benign) -> Benign {
    Benign {
        profile: Profile::Product(product),
        ..case
    }
}

/// A case that no rule tells of, and that the profile of this product knows.
const fn known(product: &'static str, case: Benign) -> Benign {
    Benign {
        profile: Profile::Knows(product),
        ..case
    }
}

/// A case of what this host alone runs.
const fn learnt(case: Benign) -> Benign {
    Benign {
        profile: Profile::Learnt,
        ..case
    }
}

/// Every product, as the configuration names them.
pub(crate) fn products() -> String {
    let products: Vec<&str> = ::sensor::profile::products().collect();
    products.join(", ")
}

/// The configuration of the round of products: all of them.
pub(crate) fn with_products() -> String {
    let (products, services) = (products(), services());
    format!("profiles: {{ products: [{products}] }}\n{services}")
}

/// What it says of services.
pub(crate) fn services() -> String {
    format!("services: {{ declare: [{}] }}\n", product::ZABBIX)
}
