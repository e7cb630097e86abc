//! The benign half: B1-B28 across the stacks. Whatever belongs to a product is done with
//! its profile on, and everything else with none.

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
pub(crate) const IMPOSSIBLE: &[Impossible] = &[
    Impossible {
        id: "B10",
        what: "an update that is copied over a site file by file",
        why: "alerts, by design: what is written where visitors ask is no update by its looks",
    },
    Impossible {
        id: "B23",
        what: "varnishd and its compiler, OpenResty",
        why: "not in the packages of the tests; lighttpd is the row of B23",
    },
];

/// Every case, in the order in which they are played.
pub(crate) fn all() -> Vec<Benign> {
    let lists = [
        operation::ALL,
        application::ALL,
        file::ALL,
        start::ALL,
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
        when: When::Both,
        act,
    }
}

/// A case that starts servers of its own.
const fn begin(
    id: &'static str,
    stack: &'static str,
    what: &'static str,
    act: fn(&Turn<'_>),
) -> Benign {
    Benign {
        id,
        stack,
        needs: &[],
        what,
        profile: Profile::None,
        when: When::After,
        act,
    }
}

/// A case of a product.
const fn product(
    id: &'static str,
    stack: Stack,
    needs: &'static [Stack],
    product: &'static str,
    what: &'static str,
    act: fn(&Turn<'_>),
) -> Benign {
    Benign {
        profile: Profile::Product(product),
        ..work(id, stack, needs, what, act)
    }
}

/// A case of what this host alone runs.
const fn learnt(
    id: &'static str,
    stack: Stack,
    needs: &'static [Stack],
    what: &'static str,
    act: fn(&Turn<'_>),
) -> Benign {
    Benign {
        profile: Profile::Learnt,
        ..work(id, stack, needs, what, act)
    }
}

/// Products whose profiles are on in the round of products.
pub(crate) fn products() -> Vec<&'static str> {
    let of = |case: &Benign| match case.profile {
        Profile::Product(product) => Some(product),
        Profile::None | Profile::Learnt => None,
    };
    let mut products: Vec<&str> = all().iter().filter_map(of).collect();
    products.sort_unstable();
    products.dedup();
    products
}

/// The configuration of that round.
pub(crate) fn with_products() -> String {
    let products = products().join(", ");
    format!(
        "profiles: {{ products: [{products}] }}\n{}",
        without_products()
    )
}

/// The same with no product named.
pub(crate) fn without_products() -> String {
    format!("services: {{ declare: [{}] }}\n", product::ZABBIX)
}
