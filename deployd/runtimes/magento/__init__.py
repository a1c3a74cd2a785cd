"""What deployd does for Magento: hotfixes after composer, and a recipe that builds and deploys without ece-tools.

`recipe.py` has the steps in their order, `program.py` makes scripts of them; what they do is PHP, in `php/`.
"""
