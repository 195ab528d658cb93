"""Question: which card do measured data speak for, and how surely?

Enters: tables of measurements (CSV, TSV) with any column names, the units they are in, facts about the sample.
Leaves: card fragments (values, standard errors, goodness of fit, what could not be identified), curves to look at.
Not here: the physics that is fitted (:mod:`ferrogen.device`), figures (:mod:`ferrogen.report`).
"""
