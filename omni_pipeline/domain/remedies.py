"""What to do about a broken invariant, by what keeps its rows."""

_REFRESH = "`omni refresh {host}` repairs it and pays only for what is missing"
_RESCRAPE = "`omni refresh {host} --force-rescrape` fetches its pages anew"
_LEDGER = (
    "the database was written to by something else, or restored in part: restore a whole backup, "
    "or report this line with the version that `omni --version` prints"
)

# By the number in the name. What is not named here only something else than this program can break.
_BY_NUMBER = {
    **dict.fromkeys((*range(1, 16), 29, 30, 32, 34, 43, 44, 46, 47, 50, 51), _REFRESH),
    **dict.fromkeys((16, 18, 19, 35, 37, 38, 41, 42, 45), _RESCRAPE),
    21: "the next refresh of any domain ends that job, and so does `omni up` by itself",
    31: "replace that key or password: it was written to the database, and so to its backups",
    33: "the endpoint answered different texts alike: `omni refresh {host} --force-reembed` pays "
    "for all of its vectors anew",
    39: "`omni refresh {host}`; `omni up` does it every day, and `omni doctor` says what fails",
    40: "look at the site, and at `omni jobs {host}`: pages that left wrongly come back with "
    "`omni refresh {host} --force-rescrape`",
    49: "`omni verify --all` names the pages that are not whole, and `omni refresh` of their "
    "domain repairs them",
}


def remedy(invariant: str, host: str | None) -> str:
    """One clause for a person, as the last words about a violation."""
    number = int(invariant[1:3]) if invariant[1:3].isdigit() else 0
    advice = _BY_NUMBER.get(number, _LEDGER)
    return advice.format(host=host or "DOMAIN")
