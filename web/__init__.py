"""The page: plain ES modules, served as they are. A package only so that an installed Reeflens finds them."""
