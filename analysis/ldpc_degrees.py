from __future__ import annotations
import math
import numpy as np
FEWEST=256
MOST_ERRORS=.8
TABLE=[(.083,1.0405,{2: 0.0461, 3: 0.1783, 7: 0.0281, 8: 0.2882, 20: 0.1815, 32: 0.0567, 40: 0.2211}),(.3,1.0267,{2: 0.1154, 3: 0.2472, 7: 0.2191, 20: 0.4183})]
def column_degrees(columns, rows):
    x=rows/columns
    T=min(TABLE,key=lambda t:abs(math.log(t[0]/x)))[2]
    deg=np.array(list(T)); lam=np.array(list(T.values())); node=lam/deg; node/=node.sum()
    c=np.floor(np.cumsum(node)*columns+.5).astype(int); c[-1]=columns
    n=np.diff(np.concatenate([[0],c]))
    return np.minimum(np.repeat(deg,n),rows).astype(np.int64)
def expected_cost(block, entropy, spread, z):
    return 1.05*block*entropy+z*math.sqrt(block*spread)
