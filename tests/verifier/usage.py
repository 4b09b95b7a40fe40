"""Uses of licences, data and documents, as they stand in an operation: read strictly, and asked for nothing more."""

GRANT, USE, WITHDRAW, ACCESS, TRANSFER, DESTROY, REGISTER, REUSE, RETIRE = range(9)


def read(r):
    """The family of role it needs, and no scope: what a grant or a use rests on, the validators judged."""
    act = r.variant(9)
    if act == GRANT:
        read_terms(r)
    elif act == USE:
        r.hash(), r.text(160), r.text(240), read_fields(r), r.time(), r.maybe(r.time)
    elif act == WITHDRAW:
        r.hash(), r.text(160)
    elif act in (ACCESS, DESTROY):
        read_data(r)
    elif act == TRANSFER:
        read_data(r), r.code()
    elif act == REGISTER:
        r.digest(), r.text(96)
    elif act == REUSE:
        r.digest(), r.text(240), r.maybe(lambda: read_basis(r)), r.time()
    else:
        r.digest()
    return "licence" if act in (GRANT, WITHDRAW) else None, None, None, []


def read_terms(r):
    r.text(160), r.code(), r.text(240), r.maybe(lambda: r.text(64))
    read_fields(r), r.time(), r.u32()


def read_data(r):
    r.text(200), r.text(240), read_fields(r), read_basis(r), r.time()


def read_fields(r):
    return r.many(lambda: r.text(96), 9)


def read_basis(r):
    (r.hash, lambda: r.text(36), lambda: r.text(160), r.u32)[r.variant(4)]()
